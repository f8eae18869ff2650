//! A notification: whom to tell what, because of which event.

use mesh_core::{EventId, TimestampMillis};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::products::{Delivery, DeliveryChannel, DeliveryStatus, DeliverySubject};

/// The texts there are; the names stand in the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Template {
    /// An application for a loan was approved.
    LoanApproved,
    /// An application for a loan was declined.
    LoanDeclined,
    /// A person looks at an application for a loan.
    LoanReferred,
    /// A payment was made.
    PaymentCompleted,
    /// A payment was refused.
    PaymentRejected,
    /// The client's address was changed.
    AddressChanged,
    /// The client's request for erasure has arrived.
    ErasureRequested,
    /// The client's data are erased.
    Erased,
    /// The client's data cannot be erased yet.
    ErasureRefused,
}

impl Template {
    /// Every text.
    pub const ALL: [Self; 9] = [
        Self::LoanApproved,
        Self::LoanDeclined,
        Self::LoanReferred,
        Self::PaymentCompleted,
        Self::PaymentRejected,
        Self::AddressChanged,
        Self::ErasureRequested,
        Self::Erased,
        Self::ErasureRefused,
    ];

    /// The name as it stands in the product.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LoanApproved => "LOAN_APPROVED",
            Self::LoanDeclined => "LOAN_DECLINED",
            Self::LoanReferred => "LOAN_REFERRED",
            Self::PaymentCompleted => "PAYMENT_COMPLETED",
            Self::PaymentRejected => "PAYMENT_REJECTED",
            Self::AddressChanged => "ADDRESS_CHANGED",
            Self::ErasureRequested => "ERASURE_REQUESTED",
            Self::Erased => "ERASED",
            Self::ErasureRefused => "ERASURE_REFUSED",
        }
    }

    /// What it is about.
    pub fn subject(self) -> DeliverySubject {
        match self {
            Self::LoanApproved | Self::LoanDeclined | Self::LoanReferred => DeliverySubject::Loans,
            Self::PaymentCompleted | Self::PaymentRejected => DeliverySubject::Payments,
            Self::AddressChanged => DeliverySubject::Profile,
            Self::ErasureRequested | Self::Erased | Self::ErasureRefused => {
                DeliverySubject::Privacy
            }
        }
    }
}

/// A notification as it is kept while it waits; it holds no address and no text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// The notification's id, which follows from the event.
    pub id: Uuid,
    /// The event that caused it.
    pub cause: Uuid,
    /// The topic of that event.
    pub cause_topic: String,
    /// Whom to tell.
    pub client_id: i64,
    /// What to tell.
    pub template: Template,
    /// The number of the application or payment that the text names.
    pub reference: Option<String>,
    /// When this domain learned of the event, in milliseconds since 1970.
    pub requested_at: i64,
}

/// The id of the notification that the event `cause` causes.
pub fn notice_id(cause: Uuid) -> Uuid {
    EventId::derived(&["notification", "delivery", &cause.to_string()]).0
}

/// How a notification ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ending {
    /// The way it took, if one was chosen.
    pub channel: Option<DeliveryChannel>,
    /// How it ended.
    pub status: DeliveryStatus,
    /// How often sending was tried.
    pub attempts: i32,
    /// Why it was not sent; nothing if it was.
    pub reason: Option<String>,
}

impl Ending {
    /// It was not to be sent.
    pub fn suppressed(channel: Option<DeliveryChannel>, attempts: i32, reason: &str) -> Self {
        Self {
            channel,
            status: DeliveryStatus::Suppressed,
            attempts,
            reason: Some(reason.to_owned()),
        }
    }
}

impl Notice {
    /// The record of the product that says how it ended, now.
    pub fn delivery(&self, ending: Ending) -> Delivery {
        Delivery {
            delivery_id: self.id,
            client_id: self.client_id,
            cause_event_id: self.cause,
            cause_topic: self.cause_topic.clone(),
            subject: self.template.subject(),
            template: self.template.as_str().to_owned(),
            channel: ending.channel,
            status: ending.status,
            attempts: ending.attempts,
            reason: ending.reason,
            requested_at: TimestampMillis(self.requested_at),
            // A clock that was set back must not make it end before it began.
            finished_at: TimestampMillis(TimestampMillis::now().0.max(self.requested_at)),
        }
    }
}
