//! SaslHandshake and SaslAuthenticate: what a connection may send before its login, and
//! how a login is renewed (KIP-368).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::{
    ApiKey, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
    SaslHandshakeResponse,
};
use kafka_protocol::protocol::StrBytes;
use tokio::time::Instant;

use super::{Head, body, finish, header, read_head, shape, text};
use crate::security::{Login, Logins, Principal, Progress};
use crate::shared::{Caller, Shared};
use crate::wire::Frame;

/// The login of a connection.
pub(crate) struct Session {
    logins: Arc<Logins>,
    state: State,
    /// Who has logged in, by which mechanism, and until when that holds.
    holder: Option<(Principal, String, Option<Instant>)>,
}

enum State {
    /// A handshake has to come.
    Open,
    /// A mechanism is agreed on. `raw`: its messages come without headers, as after
    /// SaslHandshake v0.
    Running {
        login: Login,
        mechanism: String,
        raw: bool,
    },
    /// Logged in.
    Done,
    /// A login has failed, or the protocol was not kept; nothing more is answered.
    Closed,
}

/// What a connection's request has led to.
pub(crate) enum Step {
    /// The request is none of the login's and may pass.
    Pass(Bytes),
    /// The login goes on with this answer.
    Answer(Frame),
    /// The connection is closed, after this answer if there is one.
    Close(Option<Frame>, String),
}

impl Session {
    pub(crate) fn new(logins: Arc<Logins>) -> Self {
        Self {
            logins,
            state: State::Open,
            holder: None,
        }
    }

    /// Who has logged in.
    pub(crate) fn principal(&self) -> Option<&Principal> {
        self.holder.as_ref().map(|(principal, ..)| principal)
    }

    /// Whether a first login is still to come.
    pub(crate) fn is_pending(&self) -> bool {
        self.holder.is_none()
    }

    /// Takes a request of the connection.
    pub(crate) async fn take(&mut self, shared: &Arc<Shared>, frame: Bytes) -> Step {
        let step = self.step(shared, frame).await;
        let step = step.unwrap_or_else(|why| Step::Close(None, why));
        if matches!(step, Step::Close(..)) {
            self.state = State::Closed;
        }
        step
    }

    async fn step(&mut self, shared: &Arc<Shared>, mut frame: Bytes) -> Result<Step, String> {
        if matches!(self.state, State::Running { raw: true, .. }) {
            return self.authenticate(shared, None, &frame).await;
        }
        let (head, key) = read_head(&frame)?;
        match (&self.state, key) {
            (State::Closed, _) => Err("nothing is answered after a failed login".to_owned()),
            (State::Open | State::Done, Some(ApiKey::SaslHandshake)) => {
                shared.metrics.request(head.api_key);
                let request: SaslHandshakeRequest = request(&mut frame, ApiKey::SaslHandshake)?;
                self.handshake(&head, &request)
            }
            (State::Running { .. }, Some(ApiKey::SaslAuthenticate)) => {
                shared.metrics.request(head.api_key);
                let request: SaslAuthenticateRequest =
                    request(&mut frame, ApiKey::SaslAuthenticate)?;
                self.authenticate(shared, Some(&head), &request.auth_bytes)
                    .await
            }
            (State::Done, _) => {
                let over = |(_, _, until): &(_, _, Option<Instant>)| {
                    until.is_some_and(|until| Instant::now() > until)
                };
                match self.holder.as_ref().is_some_and(over) {
                    true => Err("the login is over and was not renewed".to_owned()),
                    false => Ok(Step::Pass(frame)),
                }
            }
            // Also in a version that is not known: that is answered, too.
            (State::Open, _) if head.api_key == ApiKey::ApiVersions as i16 => Ok(Step::Pass(frame)),
            _ => Err(format!(
                "api key {} is not allowed before the login is done",
                head.api_key
            )),
        }
    }

    fn handshake(&mut self, head: &Head, request: &SaslHandshakeRequest) -> Result<Step, String> {
        let mechanism = request.mechanism.as_str();
        let mechanisms = self.logins.mechanisms();
        let mut response = SaslHandshakeResponse::default()
            .with_mechanisms(mechanisms.map(StrBytes::from_static_str).collect());
        let same = |(_, before, _): &(_, String, _)| before == mechanism;
        let Some(login) = self.logins.begin(mechanism) else {
            response.error_code = ResponseError::UnsupportedSaslMechanism.code();
            let why = format!("the mechanism {mechanism:?} is not offered");
            return finish(&response, head).map(|frame| Step::Close(Some(frame), why));
        };
        if !self.holder.as_ref().is_none_or(same) {
            return Err("a renewed login cannot change its mechanism".to_owned());
        }
        self.state = State::Running {
            login,
            mechanism: mechanism.to_owned(),
            raw: head.version == 0,
        };
        finish(&response, head).map(Step::Answer)
    }

    async fn authenticate(
        &mut self,
        shared: &Shared,
        head: Option<&Head>,
        message: &[u8],
    ) -> Result<Step, String> {
        let State::Running {
            login,
            mechanism,
            raw,
        } = std::mem::replace(&mut self.state, State::Closed)
        else {
            return Err("there is no login to go on with".to_owned());
        };
        let config = &shared.config.security;
        let answer = |token: Bytes, lifetime: Option<Duration>| match head {
            None => Ok(Frame::of(token)),
            Some(head) => {
                let mut response = SaslAuthenticateResponse::default().with_auth_bytes(token);
                if head.version >= 1 {
                    let lifetime = lifetime.map_or(0, |lifetime| lifetime.as_millis());
                    response.session_lifetime_ms = i64::try_from(lifetime).unwrap_or(i64::MAX);
                }
                finish(&response, head)
            }
        };
        match self.logins.advance(login, message).await {
            Progress::Challenge(login, token) => {
                self.state = State::Running {
                    login,
                    mechanism,
                    raw,
                };
                answer(token, None).map(Step::Answer)
            }
            Progress::Done(name, token) => {
                let principal = Principal::user(&name);
                if self.principal().is_some_and(|before| *before != principal) {
                    shared.metrics.failed_authentications.add(1);
                    let sentence = "Cannot change principals during re-authentication";
                    return failed(head, sentence, "a renewed login changed the user");
                }
                let lifetime = config.session_lifetime;
                let until = lifetime.map(|lifetime| Instant::now() + lifetime);
                self.holder = Some((principal, mechanism, until));
                self.state = State::Done;
                shared.metrics.successful_authentications.add(1);
                answer(token, lifetime).map(Step::Answer)
            }
            Progress::Failed(sentence, why) => {
                shared.metrics.failed_authentications.add(1);
                tokio::time::sleep(config.failed_authentication_delay).await;
                failed(head, &sentence, why)
            }
        }
    }
}

fn failed(head: Option<&Head>, sentence: &str, why: &str) -> Result<Step, String> {
    let why = format!("a login failed: {why}");
    let frame = match head {
        None => None,
        Some(head) => Some(finish(
            &SaslAuthenticateResponse::default()
                .with_error_code(ResponseError::SaslAuthenticationFailed.code())
                .with_error_message(text(sentence)),
            head,
        )?),
    };
    Ok(Step::Close(frame, why))
}

fn request<R: kafka_protocol::protocol::Decodable>(
    frame: &mut Bytes,
    key: ApiKey,
) -> Result<R, String> {
    let (head, _) = read_head(frame)?;
    header(key, head.version, frame)?;
    shape::check(key, head.version, frame)?;
    body(frame, head.version)
}

/// A handshake where there is nothing to log in to, or a login is done already.
pub(super) async fn needless_handshake(
    _shared: &Arc<Shared>,
    _caller: &Caller,
    _version: i16,
    _request: SaslHandshakeRequest,
) -> SaslHandshakeResponse {
    SaslHandshakeResponse::default().with_error_code(ResponseError::IllegalSaslState.code())
}

/// As [`needless_handshake`].
pub(super) async fn needless_authenticate(
    _shared: &Arc<Shared>,
    _caller: &Caller,
    _version: i16,
    _request: SaslAuthenticateRequest,
) -> SaslAuthenticateResponse {
    SaslAuthenticateResponse::default()
        .with_error_code(ResponseError::IllegalSaslState.code())
        .with_error_message(text(
            "SaslAuthenticate request received after successful authentication",
        ))
}
