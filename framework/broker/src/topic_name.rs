//! What a topic may be called.

use kafka_protocol::ResponseError;

const MAX_NAME_LEN: usize = 249;

/// An error code and the sentence that goes with it.
pub(crate) type Refusal = (ResponseError, String);

/// Whether a name may be a topic's, as Kafka has it.
pub(crate) fn check_name(name: &str) -> Result<(), Refusal> {
    let refuse = |why: &str| Err((ResponseError::InvalidTopicException, why.to_owned()));
    if name.is_empty() {
        return refuse("a topic name is not empty");
    }
    if name == "." || name == ".." {
        return refuse("a topic name is not . or ..");
    }
    if name.len() > MAX_NAME_LEN {
        return refuse("a topic name has at most 249 characters");
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if !name.bytes().all(legal) {
        return refuse("a topic name has only letters, digits, '.', '_' and '-'");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_kafkas_rules() {
        let check = |name: &str, accepted: bool| {
            assert_eq!(check_name(name).is_ok(), accepted, "{name}");
        };
        check("customer.profiles.v1", true);
        check("a-b_c", true);
        check("", false);
        check(".", false);
        check("..", false);
        check("a b", false);
        check("a/b", false);
        check("ä", false);
        check(&"x".repeat(249), true);
        check(&"x".repeat(250), false);
    }
}
