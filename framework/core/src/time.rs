//! Instants at the resolutions that contracts know.

use chrono::{DateTime, Utc};

macro_rules! timestamp {
    ($(#[$doc:meta])* $name:ident, $from:ident, $get:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl $name {
            /// Now, by the system's clock.
            pub fn now() -> Self {
                Utc::now().into()
            }

            /// The instant; `None` outside of chrono's years.
            pub fn to_datetime(self) -> Option<DateTime<Utc>> {
                DateTime::$from(self.0)
            }
        }

        impl From<DateTime<Utc>> for $name {
            fn from(instant: DateTime<Utc>) -> Self {
                Self(instant.$get())
            }
        }
    };
}

timestamp!(
    /// Milliseconds since 1970-01-01T00:00:00Z.
    TimestampMillis,
    from_timestamp_millis,
    timestamp_millis
);
timestamp!(
    /// Microseconds since 1970-01-01T00:00:00Z.
    TimestampMicros,
    from_timestamp_micros,
    timestamp_micros
);
