//! Which version of which standard a document follows.

use crate::node::{Map, quoted};

/// A version of a standard: 30, 31 and 32 for ODCS v3.0 to v3.2, 10 and 11 for ODPS v1.0
/// and v1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edition {
    Contract(u8),
    Product(u8),
}

/// From which version on a field is there, in ODCS and in ODPS.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Since(pub(crate) u8, pub(crate) u8);

/// Not in this standard at all.
pub(crate) const NEVER: u8 = u8::MAX;

impl Edition {
    pub(crate) const LATEST: Self = Self::Contract(32);

    /// Whether this is an ODCS document older than `version`.
    pub(crate) fn contract_before(self, version: u8) -> bool {
        matches!(self, Self::Contract(own) if own < version)
    }

    /// Whether this is an ODPS document older than `version`.
    pub(crate) fn product_before(self, version: u8) -> bool {
        matches!(self, Self::Product(own) if own < version)
    }

    fn read(map: &Map<'_>, known: &[(&'static str, Edition)], latest: &str) -> Option<Edition> {
        let text = map.required_string("apiVersion")?;
        let found = known.iter().find(|(name, _)| *name == text);
        if found.is_none() {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            map.refuse(
                "apiVersion",
                format!("`{}` is not understood here", crate::yaml::shown(&text)),
                format!("write `apiVersion: {latest}`, or one of {}", quoted(&names)),
            );
        }
        found.map(|(_, edition)| *edition)
    }

    /// The `apiVersion` of an ODCS document.
    pub(crate) fn of_contract(map: &Map<'_>) -> Option<Edition> {
        let known = [
            ("v3.2.0", Self::Contract(32)),
            ("v3.1.0", Self::Contract(31)),
            ("v3.0.2", Self::Contract(30)),
            ("v3.0.1", Self::Contract(30)),
            ("v3.0.0", Self::Contract(30)),
        ];
        Self::read(map, &known, "v3.2.0")
    }

    /// The `apiVersion` of an ODPS document.
    pub(crate) fn of_product(map: &Map<'_>) -> Option<Edition> {
        let known = [
            ("v1.1.0", Self::Product(11)),
            ("v1.0.0", Self::Product(10)),
            ("v0.9.0", Self::Product(10)),
        ];
        Self::read(map, &known, "v1.0.0")
    }

    /// The version from which on a field is there, if it is in this standard.
    fn gate(self, since: Since) -> Option<(u8, u8)> {
        let (own, gate) = match self {
            Self::Contract(own) => (own, since.0),
            Self::Product(own) => (own, since.1),
        };
        (gate != NEVER).then_some((own, gate))
    }
}

impl Map<'_> {
    /// Whether `key` may stand here in the document's edition; refuses it if it came later.
    pub(crate) fn admits(&self, key: &'static str, since: Since) -> bool {
        // A key that the standard never had stays unasked for, and is refused as unknown.
        let Some((own, gate)) = self.reader.edition().gate(since) else {
            return false;
        };
        if own >= gate {
            return true;
        }
        if self.node(key).is_some() {
            let version = format!("v{}.{}.0", gate / 10, gate % 10);
            self.refuse_key(
                key,
                format!("came with {version} of the standard"),
                format!("write `apiVersion: {version}` or remove it"),
            );
        }
        false
    }
}
