//! The table: what an order is, stated once, and everything that follows from it.

use std::fmt;

use tickc::prelude::*;

/// Makes [`Order`], [`NumberColumn`], [`FlagColumn`], [`COLUMNS`] and the reading of a line from one list of columns.
macro_rules! columns {
    (
        numbers { $($(#[doc = $number_doc:literal])+ $number:ident $Number:ident: $type:ty,)+ }
        flags { $($(#[doc = $flag_doc:literal])+ $flag:ident $Flag:ident,)+ }
    ) => {
        /// A record of the table, whose fields generated code can read as well.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Record)]
        pub struct Order {
            $($(#[doc = $number_doc])+ pub $number: $type,)+
            $($(#[doc = $flag_doc])+ pub $flag: bool,)+
        }

        /// A column of numbers.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum NumberColumn {
            $($(#[doc = $number_doc])+ $Number,)+
        }

        /// A column of yes or no.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum FlagColumn {
            $($(#[doc = $flag_doc])+ $Flag,)+
        }

        impl NumberColumn {
            /// All of them, in the order of the fields.
            pub const ALL: &[Self] = &[$(Self::$Number,)+];

            /// As in the file's first line and in conditions.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$Number => stringify!($number),)+ }
            }

            /// The field of `order`.
            #[must_use]
            #[inline]
            pub fn read(self, order: &Order) -> i64 {
                match self { $(Self::$Number => i64::from(order.$number),)+ }
            }

            /// Code for the field of `order`.
            pub fn load<'a>(self, order: Var<Ref<Order>>) -> Code<'a, i64> {
                match self { $(Self::$Number => tick!(@order.$number as i64),)+ }
            }
        }

        impl FlagColumn {
            /// All of them, in the order of the fields.
            pub const ALL: &[Self] = &[$(Self::$Flag,)+];

            /// As in the file's first line and in conditions.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$Flag => stringify!($flag),)+ }
            }

            /// The field of `order`.
            #[must_use]
            #[inline]
            pub fn read(self, order: &Order) -> bool {
                match self { $(Self::$Flag => order.$flag,)+ }
            }

            /// Code for the field of `order`.
            pub fn load<'a>(self, order: Var<Ref<Order>>) -> Code<'a, bool> {
                match self { $(Self::$Flag => tick!(@order.$flag),)+ }
            }
        }

        /// Name, kind and meaning of every column, in the order of the fields.
        pub const COLUMNS: &[(&str, &str, &str)] = &[
            $((stringify!($number), stringify!($type), concat!($($number_doc),+)),)+
            $((stringify!($flag), "bool", concat!($($flag_doc),+)),)+
        ];

        impl Order {
            /// An order from the texts of its columns, in the order of [`COLUMNS`].
            ///
            /// # Errors
            /// The name of the first column whose text is not of its kind, and what would be.
            pub fn parse<'a>(mut text: impl FnMut(usize) -> &'a str) -> Result<Self, BadCell> {
                let mut columns = 0..;
                let mut next = || text(columns.next().unwrap_or_default()).trim();
                Ok(Self {
                    $($number: {
                        let text = next();
                        text.parse::<$type>().map_err(|_| BadCell {
                            column: stringify!($number),
                            expected: format!("a whole number from {} to {}", <$type>::MIN, <$type>::MAX),
                            found: text.to_owned(),
                        })?
                    },)+
                    $($flag: match next() {
                        "0" => false,
                        "1" => true,
                        text => return Err(BadCell {
                            column: stringify!($flag),
                            expected: "0 or 1".to_owned(),
                            found: text.to_owned(),
                        }),
                    },)+
                })
            }
        }

        /// `id=1 customer=2 …`
        impl fmt::Display for Order {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut gap = "";
                $(write!(f, "{gap}{}={}", stringify!($number), self.$number)?; gap = " ";)+
                $(write!(f, "{gap}{}={}", stringify!($flag), u8::from(self.$flag))?;)+
                Ok(())
            }
        }
    };
}

columns! {
    numbers {
        /// Number of the order, from 1.
        id Id: u32,
        /// Number of the customer.
        customer Customer: u32,
        /// Price of one piece, in cents.
        price Price: i64,
        /// Pieces.
        qty Qty: u16,
        /// Region delivered to, 0 to 9.
        region Region: u8,
        /// Day of the order, from 1.
        day Day: u16,
        /// Discount in percent.
        discount Discount: u8,
    }
    flags {
        /// Delivered overnight.
        express Express,
        /// Wrapped as a gift.
        gift Gift,
    }
}

/// A text that does not fit its column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column '{column}' is '{found}', expected {expected}")]
pub struct BadCell {
    /// The column.
    pub column: &'static str,
    /// What would fit.
    pub expected: String,
    /// What is there.
    pub found: String,
}
