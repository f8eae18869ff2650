//! `contract!`: a contract file as documented Rust types.
//!
//! `contract!("products/profiles/contract.odcs.yaml")` reads the file (relative to the
//! crate's `Cargo.toml`, or to the calling source file if it starts with `./` or `../`) while the crate is compiled and expands to a struct for the record,
//! an enum per enumeration, a struct per nested object and a struct for the Kafka key, with
//! the contract's descriptions as their documentation. A `product.odps.yaml` beside the file
//! is read with it and checked against it. The crate that calls it needs `mesh-core`.

use std::path::PathBuf;

use proc_macro::TokenStream;
use proc_macro2::Span;
use quote::quote;
use syn::LitStr;

mod generate;

/// Expands a contract file into the types of its record.
///
/// A contract that is wrong does not compile: the error names file, line, field and mend.
#[proc_macro]
pub fn contract(input: TokenStream) -> TokenStream {
    let literal = syn::parse_macro_input!(input as LitStr);
    let caller = literal.span().unwrap().local_file();
    match expand(&literal.value(), caller) {
        Ok(tokens) => tokens.into(),
        Err(message) => {
            let error = syn::Error::new(literal.span(), message).to_compile_error();
            error.into()
        }
    }
}

fn expand(path: &str, caller: Option<PathBuf>) -> Result<proc_macro2::TokenStream, String> {
    let root = std::env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .ok_or("CARGO_MANIFEST_DIR is not set; build with cargo")?;
    let base = match caller.as_deref().and_then(std::path::Path::parent) {
        Some(folder) if path.starts_with("./") || path.starts_with("../") => {
            std::path::absolute(folder).map_err(|error| error.to_string())?
        }
        _ => root,
    };
    let file = base.join(path);
    let read = |file: &std::path::Path| {
        let name = file.display().to_string();
        let open = std::fs::File::open(file)
            .map_err(|error| format!("{name}: {error}; give a path from Cargo.toml on"))?;
        mesh_contract::read_text(&name, open).map_err(|all| all.to_string())
    };
    let text = read(&file)?;
    let contract = mesh_contract::Contract::parse(path, &text).map_err(|all| all.to_string())?;
    if contract.schema.value_schema.is_some() || contract.schema.key_schema.is_some() {
        return Err(format!(
            "{path}: `mesh.valueSchema` or `mesh.keySchema` says that the topic is written under \
             another schema than the columns give; leave both out of a copy that is only read, and \
             write the product as a new major version under a schema of its own"
        ));
    }

    let absolute = file.to_string_lossy().into_owned();
    let sibling = file.with_file_name("product.odps.yaml");
    let product = if sibling.is_file() {
        let product_path = sibling.to_string_lossy().into_owned();
        mesh_contract::DataProduct::parse(&product_path, &read(&sibling)?, path, &text)
            .map_err(|all| all.to_string())?;
        quote!(::core::option::Option::Some((#product_path, ::core::include_str!(#product_path))))
    } else {
        quote!(::core::option::Option::None)
    };
    let literal = LitStr::new(&absolute, Span::call_site());
    Ok(generate::types(&contract, path, &literal, &product))
}
