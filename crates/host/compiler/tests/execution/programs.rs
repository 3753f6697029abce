//! Small programs that end, each with an export `main: () -> i32`.

/// Name and text of each program.
pub const PROGRAMS: &[(&str, &str)] = &[
    (
        "fib, recursive",
        r#"(module
            (func $fib (param i32) (result i32)
                (if (result i32) (i32.lt_s (local.get 0) (i32.const 2))
                    (then (local.get 0))
                    (else (i32.add
                        (call $fib (i32.sub (local.get 0) (i32.const 1)))
                        (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
            (func (export "main") (result i32) (call $fib (i32.const 12))))"#,
    ),
    (
        "sieve",
        r#"(module (memory 1)
            (func (export "main") (result i32) (local $i i32) (local $j i32) (local $n i32)
                (local.set $i (i32.const 2))
                (loop $outer
                    (if (i32.eqz (i32.load8_u offset=16 (local.get $i)))
                        (then
                            (local.set $n (i32.add (local.get $n) (i32.const 1)))
                            (local.set $j (i32.mul (local.get $i) (i32.const 2)))
                            (block $done
                                (loop $inner
                                    (br_if $done (i32.ge_u (local.get $j) (i32.const 500)))
                                    (i32.store8 offset=16 (local.get $j) (i32.const 1))
                                    (local.set $j (i32.add (local.get $j) (local.get $i)))
                                    (br $inner)))))
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if $outer (i32.lt_u (local.get $i) (i32.const 500))))
                (local.get $n)))"#,
    ),
    (
        "64-bit mix",
        r#"(module
            (global $state (mut i64) (i64.const 0x123456789abcdef))
            (func $next (result i64) (local $x i64)
                (local.set $x (global.get $state))
                (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 13))))
                (local.set $x (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 7))))
                (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 17))))
                (global.set $state (local.get $x))
                (i64.rotl (i64.mul (local.get $x) (i64.const 0x9e3779b97f4a7c15)) (local.get $x)))
            (func (export "main") (result i32) (local $i i32) (local $sum i64)
                (loop $again
                    (local.set $sum (i64.add
                        (i64.rem_u (call $next) (i64.const 1000003))
                        (i64.div_s (local.get $sum) (i64.const 3))))
                    (br_if $again (i32.ne
                        (local.tee $i (i32.add (local.get $i) (i32.const 1)))
                        (i32.const 100))))
                (i32.xor
                    (i32.wrap_i64 (local.get $sum))
                    (i32.wrap_i64 (i64.shr_u (local.get $sum) (i64.const 32))))))"#,
    ),
    (
        "state machine with a branch table and indirect calls",
        r#"(module
            (type $step (func (param i32) (result i32)))
            (table 4 funcref)
            (elem (i32.const 0) $a $b $c)
            (func $a (type $step) (i32.add (local.get 0) (i32.const 3)))
            (func $b (type $step) (i32.mul (local.get 0) (i32.const 5)))
            (func $c (type $step) (i32.xor (local.get 0) (i32.const 0x55555555)))
            (func (export "main") (result i32) (local $i i32) (local $value i32)
                (local.set $value (i32.const 1))
                (loop $again
                    (block $two (block $one (block $zero
                        (br_table $zero $one $two $again
                            (i32.rem_u
                                (local.tee $i (i32.add (local.get $i) (i32.const 1)))
                                (i32.const 4))))
                        (local.set $value (call_indirect (type $step)
                            (local.get $value) (i32.const 0)))
                        (br $again))
                    (local.set $value (call_indirect (type $step)
                        (local.get $value) (i32.rem_u (local.get $i) (i32.const 3))))
                    (br_if $again (i32.lt_u (local.get $i) (i32.const 200))))
                (local.set $value (i32.rotl (local.get $value) (local.get $i)))
                (br_if $again (i32.lt_u (local.get $i) (i32.const 300))))
                (local.get $value)))"#,
    ),
    (
        "bulk memory",
        r#"(module (memory 1)
            (data (i32.const 0) "0123456789abcdef")
            (func (export "main") (result i32) (local $i i32) (local $sum i32)
                (memory.fill (i32.const 100) (i32.const 0x2a) (i32.const 9000))
                (memory.copy (i32.const 5) (i32.const 0) (i32.const 16))
                (memory.copy (i32.const 200) (i32.const 3) (i32.const 5000))
                (memory.copy (i32.const 90) (i32.const 95) (i32.const 6000))
                (loop $again
                    (local.set $sum (i32.add
                        (i32.mul (local.get $sum) (i32.const 31))
                        (i32.load8_s (local.get $i))))
                    (br_if $again (i32.lt_u
                        (local.tee $i (i32.add (local.get $i) (i32.const 1)))
                        (i32.const 9200))))
                (local.get $sum)))"#,
    ),
    (
        "a trap after some work",
        r#"(module (memory 1)
            (func (export "main") (result i32) (local $i i32)
                (loop $again
                    (i32.store (local.get $i) (local.get $i))
                    (local.set $i (i32.add (local.get $i) (i32.const 4091)))
                    (br $again))
                (unreachable)))"#,
    ),
];
