//! Instants and times of day at the resolutions that contracts know.

use chrono::{DateTime, NaiveTime, Timelike, Utc};

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

macro_rules! time_of_day {
    ($(#[$doc:meta])* $name:ident, $number:ty, $per_second:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $number);

        impl $name {
            /// The time of day; `None` outside of a day.
            pub fn to_time(self) -> Option<NaiveTime> {
                let seconds = u32::try_from(self.0 / $per_second).ok()?;
                let rest = u32::try_from(self.0 % $per_second).ok()?;
                NaiveTime::from_num_seconds_from_midnight_opt(
                    seconds,
                    rest * (1_000_000_000 / $per_second),
                )
            }
        }

        impl From<NaiveTime> for $name {
            fn from(time: NaiveTime) -> Self {
                // A leap second is told as the last moment before it.
                let nanos = time.nanosecond().min(999_999_999);
                let seconds = time.num_seconds_from_midnight() as $number;
                Self(seconds * $per_second + (nanos / (1_000_000_000 / $per_second)) as $number)
            }
        }
    };
}

time_of_day!(
    /// Milliseconds since midnight.
    TimeMillis,
    i32,
    1_000
);
time_of_day!(
    /// Microseconds since midnight.
    TimeMicros,
    i64,
    1_000_000
);
