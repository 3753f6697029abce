;; Never waits and never ends: it must be preempted, and its fuel be seen to grow.
(module
  (import "wasmbed" "log" (func $log (param i32 i32)))
  (memory (export "memory") 16 16 (pagesize 1))
  (data (i32.const 0) "spinning")
  (func (export "run") (local $rounds i32)
    (call $log (i32.const 0) (i32.const 8))
    (loop $again
      (local.set $rounds (i32.add (local.get $rounds) (i32.const 1)))
      (br $again))))
