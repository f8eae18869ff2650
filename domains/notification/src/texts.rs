//! What the messages say, in each language.
//!
//! E-mail passes through servers of others, so a text names the number of an application or a
//! payment and no amount, no account and no reason.

use crate::notice::Template;

/// The languages there are by their codes in ISO 639-1; the first is for who has not chosen.
pub const LANGUAGES: [&str; 2] = ["en", "cs"];

/// Subject line and body of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The subject line.
    pub subject: &'static str,
    /// The body, with its closing.
    pub body: String,
}

/// The text of `template` in `language`, or in English if there is no such language, with the
/// number of what it is about.
pub fn compose(template: Template, language: &str, reference: Option<&str>) -> Text {
    let czech = language == "cs";
    let (subject, sentence) = match czech {
        true => in_czech(template),
        false => in_english(template),
    };
    let number = reference.unwrap_or("-");
    let closing = match czech {
        true => "Tuto zprávu posíláme automaticky, neodpovídejte na ni.\r\nVaše banka",
        false => "This message was sent automatically, please do not answer it.\r\nYour bank",
    };
    Text {
        subject,
        body: format!(
            "{}\r\n\r\n{closing}\r\n",
            sentence.replace("{number}", number)
        ),
    }
}

fn in_english(template: Template) -> (&'static str, &'static str) {
    match template {
        Template::LoanApproved => (
            "Your application for a loan is approved",
            "We have approved your application {number} for a loan. The amount will be paid to your account.",
        ),
        Template::LoanDeclined => (
            "Your application for a loan is declined",
            "We cannot grant you the loan of application {number}. You may ask us for the reasons and have a person look at the decision.",
        ),
        Template::LoanReferred => (
            "We are looking at your application for a loan",
            "A member of our staff looks at your application {number} for a loan and will be in touch.",
        ),
        Template::PaymentCompleted => (
            "A payment was made",
            "Payment {number} has been booked on your account.",
        ),
        Template::PaymentRejected => (
            "A payment could not be made",
            "Payment {number} was refused. Nothing was booked.",
        ),
        Template::AddressChanged => (
            "Your address was changed",
            "We have changed your address as asked. If it was not you who asked, please contact us at once.",
        ),
        Template::ErasureRequested => (
            "We have your request for erasure",
            "We have received your request to erase your data. If it was not you who asked, please contact us at once.",
        ),
        Template::Erased => (
            "Your data are erased",
            "We have erased your data as asked. This is our last message to this address.",
        ),
        Template::ErasureRefused => (
            "Your data cannot be erased yet",
            "We cannot erase your data while you have a loan with us. You may ask again once it is paid, and you may complain to the data protection authority.",
        ),
    }
}

fn in_czech(template: Template) -> (&'static str, &'static str) {
    match template {
        Template::LoanApproved => (
            "Vaše žádost o úvěr byla schválena",
            "Schválili jsme Vaši žádost o úvěr č. {number}. Částku převedeme na Váš účet.",
        ),
        Template::LoanDeclined => (
            "Vaše žádost o úvěr byla zamítnuta",
            "Úvěr podle žádosti č. {number} Vám nemůžeme poskytnout. Můžete se nás zeptat na důvody a požádat o posouzení člověkem.",
        ),
        Template::LoanReferred => (
            "Vaši žádost o úvěr posuzujeme",
            "Vaši žádost o úvěr č. {number} posuzuje náš pracovník a ozve se Vám.",
        ),
        Template::PaymentCompleted => (
            "Platba byla provedena",
            "Platba č. {number} byla zaúčtována na Vašem účtu.",
        ),
        Template::PaymentRejected => (
            "Platbu nebylo možné provést",
            "Platba č. {number} byla odmítnuta. Nic nebylo zaúčtováno.",
        ),
        Template::AddressChanged => (
            "Vaše adresa byla změněna",
            "Na základě žádosti jsme změnili Vaši adresu. Pokud jste o to nežádali, ihned nás prosím kontaktujte.",
        ),
        Template::ErasureRequested => (
            "Přijali jsme Vaši žádost o výmaz",
            "Přijali jsme Vaši žádost o výmaz osobních údajů. Pokud jste o něj nežádali, ihned nás prosím kontaktujte.",
        ),
        Template::Erased => (
            "Vaše údaje byly vymazány",
            "Na Vaši žádost jsme vymazali Vaše osobní údaje. Toto je naše poslední zpráva na tuto adresu.",
        ),
        Template::ErasureRefused => (
            "Vaše údaje zatím nelze vymazat",
            "Dokud u nás máte úvěr, nemůžeme Vaše osobní údaje vymazat. Po jeho splacení můžete požádat znovu a můžete si stěžovat u Úřadu pro ochranu osobních údajů.",
        ),
    }
}
