//! Facts about the boards, generated from boards/.
