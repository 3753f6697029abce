//! Structures as maps from small integers to fields.

/// Defines structures that travel as maps. A field is `KEY => NAME: TYPE`; keys are the wire format
/// and never used again. Unknown keys are passed over, fields of an `Option` may be missing.
///
/// # Examples
/// ```
/// wasmbed_cbor::records! {
///     /// A greeting.
///     #[derive(Debug, PartialEq)]
///     pub struct Greeting<'b> {
///         /// Whom it greets.
///         0 => name: &'b str,
///     }
/// }
/// ```
#[macro_export]
macro_rules! records {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident $(<$life:lifetime>)? {
            $($(#[$doc:meta])* $key:literal => $field:ident: $ty:ty,)*
        }
    )*) => {
        $(
            $(#[$meta])*
            pub struct $name $(<$life>)? {
                $($(#[$doc])* pub $field: $ty,)*
            }

            $crate::record_value! { $name $(<$life>)? { $($key $field: $ty,)* } }
        )*
    };
}

/// What [`records`] says of one structure, by whether it borrows.
#[doc(hidden)]
#[macro_export]
macro_rules! record_value {
    ($name:ident { $($fields:tt)* }) => {
        $crate::record_value! { 'record $name, $name { $($fields)* } }
    };
    ($name:ident <$life:lifetime> { $($fields:tt)* }) => {
        $crate::record_value! { $life $name, $name<$life> { $($fields)* } }
    };
    ($life:lifetime $name:ident, $ty:ty { $($key:literal $field:ident: $field_ty:ty,)* }) => {
        impl<$life> $crate::Value<$life> for $ty {
            fn read(reader: &mut $crate::Reader<$life>) -> Option<Self> {
                $(let mut $field: Option<$field_ty> = <$field_ty as $crate::Value>::absent();)*
                for _ in 0..reader.map()? {
                    match reader.unsigned()? {
                        $($key => $field = Some(<$field_ty as $crate::Value>::read(reader)?),)*
                        _ => reader.skip()?,
                    }
                }
                Some($name { $($field: $field?,)* })
            }

            fn write(&self, writer: &mut $crate::Writer<'_>) {
                let count = 0 $(+ usize::from(!$crate::Value::is_absent(&self.$field)))*;
                writer.map(count);
                $(if !$crate::Value::is_absent(&self.$field) {
                    writer.unsigned($key);
                    $crate::Value::write(&self.$field, writer);
                })*
            }
        }
    };
}
