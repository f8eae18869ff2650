//! What the demo tells at its end: the products of the mesh with their rows, and the
//! answers that each domain chose to show.

use std::net::SocketAddr;
use std::time::Duration;

use mesh_core::{Error, Result};
use serde::Deserialize;

use super::domains::FoundDomain;
use crate::ports::PlatformAddresses;
use crate::sql::{Client, Format};
use crate::ui;

#[derive(Deserialize)]
struct Page {
    items: Vec<Item>,
    #[serde(default)]
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Item {
    domain: String,
    product: String,
    version: String,
    kind: String,
    owner: Option<String>,
}

async fn products(addresses: &PlatformAddresses) -> Result<Vec<Item>> {
    let http = reqwest::Client::new();
    let mut items = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut url = format!("{}/api/v1/products?limit=500", addresses.http_url());
        if let Some(cursor) = &cursor {
            url.push_str("&cursor=");
            url.push_str(cursor);
        }
        let failed = |error: reqwest::Error| {
            Error::unavailable("the catalog does not answer").because(error)
        };
        let page: Page = http
            .get(url)
            .send()
            .await
            .and_then(|response| response.error_for_status())
            .map_err(failed)?
            .json()
            .await
            .map_err(failed)?;
        items.extend(page.items);
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => return Ok(items),
        }
    }
}

/// What there is to tell.
pub(crate) async fn tell(
    client: &Client,
    addresses: &PlatformAddresses,
    found: &[FoundDomain],
    apis: &[SocketAddr],
    elapsed: Duration,
) -> Result<String> {
    let items = products(addresses).await?;
    let counts: Vec<String> = items
        .iter()
        .map(|item| {
            format!(
                "SELECT '{0}.{1}' AS product, '{2}' AS version, '{3}' AS kind, count(*) AS rows, '{4}' AS owner FROM {0}.{1}",
                item.domain,
                item.product,
                item.version,
                item.kind,
                item.owner.as_deref().unwrap_or("").replace('\'', "''"),
            )
        })
        .collect();
    if counts.is_empty() {
        return Err(Error::internal("no domain registered a product"));
    }
    let mut lines = vec![format!(
        "\n{}",
        ui::bold(&format!(
            "{} domains, {} products, done in {} s",
            found.len(),
            items.len(),
            elapsed.as_secs()
        ))
    )];
    let statement = format!("{} ORDER BY product", counts.join(" UNION ALL "));
    let mut tell = |text: &str| lines.push(text.trim_end().to_owned());
    tell(&client.text(&statement, Format::Table).await?);

    for domain in found {
        let Ok(text) = std::fs::read_to_string(domain.folder.join("demo.sql")) else {
            continue;
        };
        for (title, statement) in questions(&text) {
            let answer = client
                .text(&statement, Format::Table)
                .await
                .map_err(|error| error.with("file", domain.folder.join("demo.sql").display()))?;
            tell(&format!("\n{}\n{}", ui::bold(&title), ui::dim(&statement)));
            tell(&answer);
        }
    }
    let apis: Vec<String> = found
        .iter()
        .zip(apis)
        .map(|(domain, api)| format!("  {:16} http://{api}/status", domain.name))
        .collect();
    lines.push(format!(
        "\n{}\n{}",
        ui::bold("What each domain does just now"),
        apis.join("\n")
    ));
    lines.push(format!(
        "\n{}\n  mesh sql{} \"SELECT * FROM {}.{} LIMIT 5\"\n  curl {}/api/v1/products\n",
        ui::bold("Ask it yourself"),
        if addresses.http.port() == 8080 {
            String::new()
        } else {
            format!(" --url {}", addresses.http_url())
        },
        items[0].domain,
        items[0].product,
        addresses.http_url(),
    ));
    Ok(lines.join("\n"))
}

/// The statements of a `demo.sql`: each is headed by comment lines, its title, and ends
/// with a semicolon.
fn questions(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for part in text.split(';') {
        let mut title = Vec::new();
        let mut statement = Vec::new();
        for line in part.lines() {
            match line.trim().strip_prefix("--") {
                Some(comment) if statement.is_empty() => title.push(comment.trim().to_owned()),
                _ if line.trim().is_empty() => {}
                _ => statement.push(line),
            }
        }
        if !statement.is_empty() {
            found.push((title.join(" "), statement.join("\n")));
        }
    }
    found
}
