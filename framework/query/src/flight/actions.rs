//! Actions on a session: its options, its end, and cancelling.
//!
//! The messages of sessions are those of `Flight.proto` (Arrow format 1.4), which the crate
//! does not have yet.

use std::collections::HashMap;

use arrow_flight::sql::{Any, Command};
use arrow_flight::{
    Action, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightInfo,
};
use mesh_core::{Error, ErrorKind, Result};
use prost::Message;
use tonic::Request;

use super::sessions::{Call, Sessions};
use crate::settings::Settings;

/// The actions and what they do.
pub(super) const NAMES: [(&str, &str); 4] = [
    (
        "CancelFlightInfo",
        "Ends a statement that runs or waits to be fetched",
    ),
    (
        "SetSessionOptions",
        "Sets what `SET` sets, such as mesh.purpose",
    ),
    ("GetSessionOptions", "Gives what is set"),
    ("CloseSession", "Ends the session and all that runs in it"),
];

#[derive(Clone, PartialEq, Message)]
struct StringList {
    #[prost(string, repeated, tag = "1")]
    values: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionOptionValue {
    #[prost(oneof = "OptionValue", tags = "1, 2, 3, 4, 5")]
    option_value: Option<OptionValue>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum OptionValue {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(sfixed64, tag = "3")]
    Int64(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    List(StringList),
}

#[derive(Clone, PartialEq, Message)]
struct SetSessionOptionsRequest {
    #[prost(map = "string, message", tag = "1")]
    session_options: HashMap<String, SessionOptionValue>,
}

#[derive(Clone, PartialEq, Message)]
struct SetSessionOptionsResult {
    #[prost(map = "string, message", tag = "1")]
    errors: HashMap<String, OptionError>,
}

#[derive(Clone, PartialEq, Message)]
struct OptionError {
    #[prost(enumeration = "OptionErrorValue", tag = "1")]
    value: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
enum OptionErrorValue {
    Unspecified = 0,
    InvalidName = 1,
    InvalidValue = 2,
    Error = 3,
}

#[derive(Clone, PartialEq, Message)]
struct GetSessionOptionsResult {
    #[prost(map = "string, message", tag = "1")]
    session_options: HashMap<String, SessionOptionValue>,
}

#[derive(Clone, PartialEq, Message)]
struct CloseSessionResult {
    #[prost(enumeration = "CloseStatus", tag = "1")]
    status: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
enum CloseStatus {
    Unspecified = 0,
    Closed = 1,
    Closing = 2,
    NotCloseable = 3,
}

/// Does an action and gives the bytes of its answer.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for one that is none of [`NAMES`]; [`ErrorKind::InvalidInput`]
/// for a message that cannot be read.
pub(super) fn run(sessions: &Sessions, request: &Request<Action>) -> Result<Vec<u8>> {
    let call = sessions.call(request)?;
    let action = request.get_ref();
    let unreadable = |_| Error::invalid("the action's message cannot be read");
    match action.r#type.as_str() {
        "CancelFlightInfo" => {
            let asked = CancelFlightInfoRequest::decode(action.body.clone()).map_err(unreadable)?;
            let info = asked.info.unwrap_or_default();
            Ok(CancelFlightInfoResult::new(cancel(&call, &info)).encode_to_vec())
        }
        "SetSessionOptions" => {
            let asked =
                SetSessionOptionsRequest::decode(action.body.clone()).map_err(unreadable)?;
            Ok(set(&call, asked).encode_to_vec())
        }
        "GetSessionOptions" => options(&call).map(|options| options.encode_to_vec()),
        "CloseSession" => {
            sessions.close(request)?;
            let status = CloseStatus::Closed as i32;
            Ok(CloseSessionResult { status }.encode_to_vec())
        }
        _ => Err(Error::new(
            ErrorKind::Unsupported,
            "there is no such action, or it is not built",
        )
        .mend("ListActions names those that there are")),
    }
}

/// Ends what `info` stands for. Once it has ended by itself, it cannot be ended.
pub(super) fn cancel(call: &Call, info: &FlightInfo) -> CancelStatus {
    let tickets = info
        .endpoint
        .iter()
        .filter_map(|endpoint| endpoint.ticket.as_ref());
    let mut any = false;
    for ticket in tickets {
        let command = Any::decode(ticket.ticket.clone())
            .ok()
            .and_then(|any| Command::try_from(any).ok());
        if let Some(Command::TicketStatementQuery(ticket)) = command {
            any |= call.session.cancel(&ticket.statement_handle);
        }
    }
    match any {
        true => CancelStatus::Cancelled,
        false => CancelStatus::NotCancellable,
    }
}

fn set(call: &Call, asked: SetSessionOptionsRequest) -> SetSessionOptionsResult {
    let mut errors = HashMap::new();
    for (name, value) in asked.session_options {
        let text = match value.option_value {
            None => Ok(None),
            Some(OptionValue::Text(text)) => Ok(Some(text)),
            Some(OptionValue::Bool(value)) => Ok(Some(value.to_string())),
            Some(OptionValue::Int64(value)) => Ok(Some(value.to_string())),
            Some(OptionValue::Double(_) | OptionValue::List(_)) => {
                Err(OptionErrorValue::InvalidValue)
            }
        };
        let outcome = text.and_then(|text| {
            let connection = &call.session.connection;
            connection
                .set(&name, text.as_deref())
                .map_err(|error| match error.kind() {
                    ErrorKind::NotFound => OptionErrorValue::InvalidName,
                    ErrorKind::InvalidInput => OptionErrorValue::InvalidValue,
                    _ => OptionErrorValue::Error,
                })
        });
        if let Err(value) = outcome {
            let value = value as i32;
            errors.insert(name, OptionError { value });
        }
    }
    SetSessionOptionsResult { errors }
}

fn options(call: &Call) -> Result<GetSessionOptionsResult> {
    let settings = call.settings();
    let mut session_options = HashMap::new();
    for (name, _) in Settings::NAMES {
        let value = settings.get(name)?;
        let option_value = Some(OptionValue::Text(value));
        session_options.insert(name.to_owned(), SessionOptionValue { option_value });
    }
    Ok(GetSessionOptionsResult { session_options })
}
