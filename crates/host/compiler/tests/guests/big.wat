;; Asks for 16 MB of memory: no board has it, so it must be refused with the numbers.
(module
  (memory (export "memory") 256)
  (func (export "run")
    (i32.store (i32.const 0) (i32.const 1))))
