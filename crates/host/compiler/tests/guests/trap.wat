;; Says so, then reads outside its memory: the guest must trap and the device stay up.
(module
  (import "wasmbed" "log" (func $log (param i32 i32)))
  (memory (export "memory") 32 32 (pagesize 1))
  (data (i32.const 0) "about to trap")
  (func $beyond (result i32)
    (i32.load (i32.const 30)))
  (func (export "run")
    (call $log (i32.const 0) (i32.const 13))
    (drop (call $beyond))))
