//! `mesh contract lint`: everything that is wrong, and what readers would miss.

use std::path::{Path, PathBuf};

use clap::Args;
use mesh_core::contract::{Contract, DataProduct, Diagnostic, Product};
use mesh_core::{Error, Result};
use serde_json::{Value as Json, json};

use super::files::{CONTRACT, PRODUCT, below, text};
use crate::ui;

#[derive(Args)]
pub(crate) struct LintArgs {
    /// Contract and product files, or folders with them at any depth
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Take advice for an error
    #[arg(long)]
    strict: bool,
    /// Answer as one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Default)]
struct Found {
    files: usize,
    errors: Vec<Diagnostic>,
    advice: Vec<Diagnostic>,
}

pub(crate) fn run(args: &LintArgs) -> Result<()> {
    let mut found = Found::default();
    for path in &args.paths {
        // A file that is named is meant; below a folder, copies of others' contracts get no
        // advice, which their owners would have to follow.
        let named = !path.is_dir();
        for file in below(path)? {
            found.files += 1;
            check(&file, named, &mut found);
        }
    }
    if found.files == 0 {
        return Err(Error::not_found("there is no contract and no product")
            .mend("name files that end with .odcs.yaml or .odps.yaml, or a folder with them"));
    }
    if args.json {
        let list = |items: &[Diagnostic]| items.iter().map(to_json).collect::<Json>();
        ui::line(format!(
            "{:#}",
            json!({
                "files": found.files,
                "errors": list(&found.errors),
                "advice": list(&found.advice),
            })
        ));
    } else {
        for error in &found.errors {
            ui::line(error.to_string());
        }
        for advice in &found.advice {
            ui::line(format!("advice: {advice}"));
        }
        if found.errors.is_empty() {
            ui::note(&format!("{} files are valid", found.files));
        }
    }
    let failures = found.errors.len() + if args.strict { found.advice.len() } else { 0 };
    if failures > 0 {
        return Err(
            Error::invalid(format!("{failures} things are to be mended"))
                .with("files", found.files)
                .mend("each line above says what to do"),
        );
    }
    Ok(())
}

fn to_json(item: &Diagnostic) -> Json {
    json!({
        "file": item.file,
        "line": item.line,
        "column": item.column,
        "field": item.field,
        "message": item.message,
        "mend": item.mend,
    })
}

fn check(path: &Path, named: bool, found: &mut Found) {
    let file = path.display().to_string();
    let source = match text(path) {
        Ok(source) => source,
        Err(error) => {
            found.errors.push(Diagnostic {
                file,
                line: 1,
                column: 1,
                field: String::new(),
                message: error.message().to_owned(),
                mend: error.mend_text().unwrap_or("check the file").to_owned(),
            });
            return;
        }
    };
    if file.ends_with(".odps.yaml") {
        if let Err(problems) = Product::parse(&file, &source) {
            found.errors.extend(problems.items().iter().cloned());
        }
        return;
    }
    let contract = match Contract::parse(&file, &source) {
        Ok(contract) => contract,
        Err(problems) => {
            found.errors.extend(problems.items().iter().cloned());
            return;
        }
    };
    let own = path.file_name().is_some_and(|name| name == CONTRACT);
    let product = own.then(|| beside(path, &source, found)).flatten();
    if own || named {
        found.advice.extend(mesh_formats::advise(
            &file,
            &source,
            &contract,
            product.as_ref(),
        ));
    }
}

/// The product beside the valid contract at `path`, after the two were compared.
fn beside(path: &Path, source: &str, found: &mut Found) -> Option<Product> {
    let product_path = path.with_file_name(PRODUCT);
    let product_text = text(&product_path).ok()?;
    let product_file = product_path.display().to_string();
    // What is wrong with the product alone is said where it is met as a file.
    let product = Product::parse(&product_file, &product_text).ok()?;
    let file = path.display().to_string();
    if let Err(problems) = DataProduct::parse(&product_file, &product_text, &file, source) {
        found.errors.extend(problems.items().iter().cloned());
    }
    Some(product)
}
