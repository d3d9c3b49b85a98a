//! Numbers that can grow.

/// Declares a wire code that can grow: a newtype with named constants, unknown values kept. What
/// has a name of its own elsewhere has that as its alias.
macro_rules! codes {
    ($(#[$doc:meta])* pub struct $name:ident($repr:ty) { $($(#[$c_doc:meta])* $constant:ident = $value:literal $(, $alias:literal)?;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name(pub $repr);

        impl $name {
            $($(#[$c_doc])* $(#[doc(alias = $alias)])? pub const $constant: Self = Self($value);)+

            /// The name of the constant, `None` for a value that has none.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some(stringify!($constant)),)+
                    _ => None,
                }
            }
        }

        impl From<$repr> for $name {
            fn from(value: $repr) -> Self {
                Self(value)
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, concat!(stringify!($name), "({})"), self.0),
                }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Debug::fmt(self, f)
            }
        }
    };
}
pub(crate) use codes;
