//! W3C Trace Context (Recommendation of 23 November 2021), version 00.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::error::{Error, Result};

/// The `traceparent` of an event or request: which trace it belongs to and what caused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// 16 bytes, never zero.
    pub trace_id: u128,
    /// 8 bytes, never zero.
    pub span_id: u64,
    /// Whether the trace is sampled.
    pub sampled: bool,
}

impl TraceContext {
    /// The root of a new trace.
    pub fn new() -> Self {
        Self {
            trace_id: Uuid::new_v4().as_u128(),
            span_id: random_span(),
            sampled: true,
        }
    }

    /// A new span of the same trace.
    pub fn child(&self) -> Self {
        Self {
            span_id: random_span(),
            ..*self
        }
    }
}

fn random_span() -> u64 {
    // The low half of a version 4 UUID holds 62 random bits and is never zero.
    Uuid::new_v4().as_u128() as u64
}

impl Default for TraceContext {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace_id,
            self.span_id,
            u8::from(self.sampled)
        )
    }
}

impl FromStr for TraceContext {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::invalid("a traceparent header is malformed");
        let parts: Vec<&str> = text.split('-').collect();
        let [version, trace, span, flags, ..] = parts.as_slice() else {
            return Err(wrong());
        };
        let lower_hex = |part: &str, length: usize| {
            part.len() == length
                && part
                    .bytes()
                    .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let valid = lower_hex(version, 2)
            && *version != "ff"
            && (*version != "00" || parts.len() == 4)
            && lower_hex(trace, 32)
            && lower_hex(span, 16)
            && lower_hex(flags, 2);
        if !valid {
            return Err(wrong());
        }
        let context = Self {
            trace_id: u128::from_str_radix(trace, 16).map_err(|_| wrong())?,
            span_id: u64::from_str_radix(span, 16).map_err(|_| wrong())?,
            sampled: u8::from_str_radix(flags, 16).map_err(|_| wrong())? & 1 == 1,
        };
        if context.trace_id == 0 || context.span_id == 0 {
            return Err(wrong());
        }
        Ok(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traceparents_are_read_and_written_as_the_recommendation_says() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(text.parse::<TraceContext>().unwrap().to_string(), text);
        for wrong in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        ] {
            assert!(wrong.parse::<TraceContext>().is_err(), "{wrong}");
        }
        let root = TraceContext::new();
        assert_eq!(root.child().trace_id, root.trace_id);
    }
}
