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
        "floats",
        r#"(module (memory 1)
            (func $round (param f64) (result f64)
                (f64.add (f64.floor (local.get 0)) (f64.nearest (f64.div (local.get 0) (f64.const 3)))))
            (func (export "main") (result i64) (local $i i32) (local $x f32) (local $y f64)
                (local.set $y (f64.const 0.1))
                (loop $again
                    (local.set $x (f32.sub (f32.mul (f32.add (local.get $x) (f32.const 1.25))
                        (f32.const 0.75)) (f32.demote_f64 (local.get $y))))
                    (if (f32.lt (local.get $x) (f32.const -2))
                        (then (local.set $x (f32.neg (f32.sqrt (f32.abs (local.get $x)))))))
                    (local.set $y (f64.add (call $round (f64.mul (local.get $y) (f64.const -1.37)))
                        (f64.promote_f32 (f32.max (local.get $x) (f32.convert_i32_u (local.get $i))))))
                    (if (f64.gt (local.get $y) (f64.const 1e6))
                        (then (local.set $y (f64.sqrt (local.get $y)))))
                    (f64.store (i32.shl (local.get $i) (i32.const 3)) (local.get $y))
                    (f32.store (i32.shl (local.get $i) (i32.const 2)) (local.get $x))
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if $again (i32.lt_u (local.get $i) (i32.const 200))))
                (i64.add (i64.trunc_sat_f64_s (f64.mul (local.get $y) (f64.const 1e6)))
                    (i64.add (i64.load (i32.const 796)) (i64.extend_i32_s
                        (i32.trunc_f32_s (local.get $x)))))))"#,
    ),
    (
        "several results",
        r#"(module
            (func $swap (param i32 i64) (result i64 i32) (local.get 1) (local.get 0))
            (func $three (param i32) (result i32 i64 f32)
                (if (i32.and (local.get 0) (i32.const 1))
                    (then (return (local.get 0) (i64.const 5) (f32.const 1.5))))
                (i32.const 9) (i64.extend_i32_u (local.get 0)) (f32.const -2))
            (func (export "main") (result i64) (local $i i32) (local $sum i64)
                (i32.const 7) (i64.const 40)
                (loop $again (param i32 i64) (result i32 i64)
                    (call $swap)
                    (block $out (param i64 i32) (result i64 i32)
                        (i32.add (i32.const 3))
                        (br_if $out (i32.and (local.get $i) (i32.const 2)))
                        (if (param i64 i32) (result i64 i32) (i32.and (local.get $i) (i32.const 4))
                            (then (call $back) (call $swap))
                            (else (br_table $out 0 $out (local.get $i)))))
                    (call $back)
                    (local.set $sum (i64.add (local.get $sum)))
                    (local.get $sum)
                    (call $three (local.get $i))
                    (drop)
                    (local.set $sum (i64.add (local.get $sum)))
                    (drop)
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if $again (i32.lt_u (local.get $i) (i32.const 60))))
                (local.set $sum (i64.add (local.get $sum)))
                (i64.add (i64.extend_i32_u) (local.get $sum)))
            (func $back (param i64 i32) (result i32 i64) (local.get 1) (local.get 0)))"#,
    ),
    (
        "tables",
        r#"(module
            (type $number (func (result i32)))
            (table $t 10 1500 funcref)
            (table $u 4 externref)
            (elem (table $t) (i32.const 2) func $one $two)
            (elem $passive func $two $three $one $three)
            (elem declare func $one)
            (func $one (result i32) (i32.const 1))
            (func $two (result i32) (i32.const 2))
            (func $three (result i32) (i32.const 3))
            (func $sum (result i32) (local $i i32) (local $sum i32)
                (loop $again
                    (local.set $sum (i32.mul (local.get $sum) (i32.const 5)))
                    (if (i32.eqz (ref.is_null (table.get $t (local.get $i))))
                        (then (local.set $sum (i32.add (local.get $sum)
                            (call_indirect $t (type $number) (local.get $i))))))
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if $again (i32.lt_u (local.get $i) (table.size $t))))
                (local.get $sum))
            (func (export "main") (result i32) (local $sum i32)
                (local.set $sum (table.grow $t (ref.func $one) (i32.const 1300)))
                (local.set $sum (i32.add (local.get $sum)
                    (table.grow $t (ref.null func) (i32.const 400))))
                (table.init $t $passive (i32.const 5) (i32.const 0) (i32.const 4))
                (table.init $t $passive (i32.const 700) (i32.const 1) (i32.const 2))
                (elem.drop $passive)
                (table.init $t $passive (i32.const 5) (i32.const 0) (i32.const 0))
                (table.fill $t (i32.const 100) (ref.null func) (i32.const 17))
                (table.copy $t $t (i32.const 30) (i32.const 2) (i32.const 1200))
                (table.copy $t $t (i32.const 1) (i32.const 3) (i32.const 1290))
                (table.set $t (i32.const 1305) (ref.func $three))
                (table.set $u (i32.const 3) (table.get $u (i32.const 1)))
                (i32.add (i32.add (call $sum) (local.get $sum))
                    (i32.add (table.size $u) (ref.is_null (table.get $u (i32.const 3)))))))"#,
    ),
    (
        "passive segments",
        r#"(module (memory 1)
            (data $long "0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab0123456789ab")
            (data (i32.const 20) "active")
            (data $short "short")
            (func (export "main") (result i32) (local $i i32) (local $sum i32)
                (memory.init $long (i32.const 10) (i32.const 0) (i32.const 6000))
                (data.drop $long)
                (memory.init $short (i32.const 6005) (i32.const 1) (i32.const 4))
                (data.drop $short)
                (memory.init $short (i32.const 0) (i32.const 0) (i32.const 0))
                (loop $again
                    (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 31))
                        (i32.load8_u (local.get $i))))
                    (br_if $again (i32.lt_u
                        (local.tee $i (i32.add (local.get $i) (i32.const 1)))
                        (i32.const 6100))))
                (memory.init $long (i32.const 0) (i32.const 0) (i32.const 1))
                (local.get $sum)))"#,
    ),
    (
        "a frame that is wider than a byte can name",
        r#"(module (memory 1)
            (table $t 8 16 funcref)
            (elem declare func $pair)
            (data $bytes "0123456789")
            (func $pair (param f64 i32) (result i32 f64) (local.get 1) (local.get 0))
            (func (export "main") (result i64)
                (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
                (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
                (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
                (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
                (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
                (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
                (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
                (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
                (local i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
                (local $i i32) (local $x f64) (local $y f32) (local $sum i64)
                (loop $again
                    (local.set $x (f64.div (f64.sub (local.get $x) (f64.const 1.5))
                        (f64.convert_i32_u (i32.add (local.get $i) (i32.const 2)))))
                    (local.set $y (f32.sub (f32.demote_f64 (local.get $x)) (local.get $y)))
                    (if (f64.lt (local.get $x) (f64.promote_f32 (local.get $y)))
                        (then (local.set $sum (i64.add (local.get $sum) (i64.const 3)))))
                    (table.set $t (i32.and (local.get $i) (i32.const 7)) (ref.func $pair))
                    (local.get $i)
                    (call $pair (local.get $x) (local.get $i))
                    (local.set $x (f64.neg))
                    (block (param i32 i32) (result i32 i32)
                        (br_if 0 (i32.and (local.get $i) (i32.const 1)))
                        (i32.add (i32.const 5)))
                    (i32.add)
                    (i64.extend_i32_u)
                    (local.get $sum)
                    (local.set $sum (i64.add))
                    (memory.init $bytes (local.get $i) (i32.const 2) (i32.const 5))
                    (memory.fill (i32.add (local.get $i) (i32.const 40)) (local.get $i) (i32.const 9))
                    (local.set $i (i32.add (local.get $i) (i32.const 1)))
                    (br_if $again (i32.lt_u (local.get $i) (i32.const 30))))
                (i64.add (i64.extend_i32_u (table.grow $t (ref.null func) (i32.const 8)))
                    (i64.add (i64.reinterpret_f64 (local.get $x))
                        (i64.add (local.get $sum) (i64.load (i32.const 27)))))))"#,
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
