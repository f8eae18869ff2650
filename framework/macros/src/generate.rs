//! From a contract's model to Rust tokens.

use mesh_contract::{Contract, EnumType, Field, Type, upper_camel};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::LitStr;

const RT: &str = "::mesh_core::generated";

fn rt() -> TokenStream {
    RT.parse().unwrap_or_default()
}

fn ident(name: &str) -> Ident {
    syn::parse_str::<Ident>(name).unwrap_or_else(|_| Ident::new_raw(name, Span::call_site()))
}

fn doc(text: Option<&str>, otherwise: &str) -> TokenStream {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    let text = text.unwrap_or(otherwise);
    quote!(#[doc = #text])
}

/// Every type of `contract`, in the scope of the macro's call.
pub(crate) fn types(
    contract: &Contract,
    path: &str,
    file: &LitStr,
    product: &TokenStream,
) -> TokenStream {
    let rt = rt();
    let schema = &contract.schema;
    let name = ident(&schema.type_name);
    let mut nested = Vec::new();
    let about = format!(
        "{}\n\nOne record of `{}`, contract `{}` version {}.",
        schema.description.as_deref().unwrap_or("A record.").trim(),
        schema.topic,
        contract.id,
        contract.version
    );
    let body = record(
        &name,
        &about,
        &schema.type_name,
        &schema.fields,
        &mut nested,
    );
    let key_name = format_ident!("{}Key", name);
    let key = key(contract, &key_name, &schema.type_name);
    let key_fields: Vec<Ident> = schema
        .kafka_key()
        .iter()
        .map(|field| ident(&field.name))
        .collect();
    quote! {
        #body
        #(#nested)*
        #key

        impl #rt::Record for #name {
            type Key = #key_name;

            fn descriptor() -> &'static #rt::Descriptor {
                static DESCRIPTOR: ::std::sync::LazyLock<#rt::Descriptor> =
                    ::std::sync::LazyLock::new(|| {
                        #rt::Descriptor::parse(#path, ::core::include_str!(#file), #product)
                            .expect("the contract was checked when the crate was compiled")
                    });
                &DESCRIPTOR
            }

            fn key(&self) -> Self::Key {
                #key_name {
                    #(#key_fields: ::core::clone::Clone::clone(&self.#key_fields),)*
                }
            }

            fn encode(&self, out: &mut ::std::vec::Vec<u8>) {
                #rt::FieldValue::write(self, out)
            }

            fn decode(value: &#rt::Value) -> #rt::Result<Self> {
                <Self as #rt::FieldValue>::read(::core::option::Option::Some(value), "")
            }

            fn validate(&self) -> #rt::Result<()> {
                self.check_limits("")
            }

            fn to_json(&self) -> #rt::Json {
                #rt::FieldValue::to_json(self)
            }

            fn from_json(value: &#rt::Json) -> #rt::Result<Self> {
                <Self as #rt::FieldValue>::from_json(value, "")
            }
        }
    }
}

/// The Rust type of a column; enumerations and objects are added to `nested`.
fn rust_type(ty: &Type, name: &str, nested: &mut Vec<TokenStream>, about: &str) -> TokenStream {
    let rt = rt();
    match ty {
        Type::String { .. } => quote!(::std::string::String),
        Type::Uuid => quote!(#rt::Uuid),
        Type::Int32 { .. } => quote!(i32),
        Type::Int64 { .. } => quote!(i64),
        Type::Float32 => quote!(f32),
        Type::Float64 => quote!(f64),
        Type::Decimal { precision, scale } => quote!(#rt::Decimal<#precision, #scale>),
        Type::Boolean => quote!(bool),
        Type::Date => quote!(#rt::NaiveDate),
        Type::Timestamp(mesh_contract::TimeUnit::Millis) => quote!(#rt::TimestampMillis),
        Type::Timestamp(mesh_contract::TimeUnit::Micros) => quote!(#rt::TimestampMicros),
        Type::Time(mesh_contract::TimeUnit::Millis) => quote!(#rt::TimeMillis),
        Type::Time(mesh_contract::TimeUnit::Micros) => quote!(#rt::TimeMicros),
        Type::Map(map) => {
            let inner = rust_type(&map.values, name, nested, about);
            let inner = if map.nullable {
                quote!(::core::option::Option<#inner>)
            } else {
                inner
            };
            quote!(::std::collections::BTreeMap<::std::string::String, #inner>)
        }
        Type::Array(array) => {
            let inner = rust_type(&array.items, name, nested, about);
            if array.nullable {
                quote!(::std::vec::Vec<::core::option::Option<#inner>>)
            } else {
                quote!(::std::vec::Vec<#inner>)
            }
        }
        Type::Enum(kind) => {
            let name = ident(name);
            nested.push(enumeration(&name, about, kind));
            quote!(#name)
        }
        Type::Object(object) => {
            let ident = ident(name);
            let mut inner = Vec::new();
            let body = record(&ident, about, name, &object.fields, &mut inner);
            nested.push(body);
            nested.append(&mut inner);
            quote!(#ident)
        }
    }
}

fn record(
    name: &Ident,
    about: &str,
    prefix: &str,
    fields: &[Field],
    nested: &mut Vec<TokenStream>,
) -> TokenStream {
    let rt = rt();
    let about = doc(Some(about), "A record.");
    let text = name.to_string();
    let names: Vec<Ident> = fields.iter().map(|field| ident(&field.name)).collect();
    let columns: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let mut declarations = Vec::new();
    let mut checks = Vec::new();
    let mut debugs = Vec::new();
    for (field, name) in fields.iter().zip(&names) {
        let type_name = format!("{prefix}{}", upper_camel(&field.name));
        let fallback = format!("The column `{}`.", field.name);
        let about = field.description.as_deref().unwrap_or(&fallback);
        let ty = rust_type(&field.ty, &type_name, nested, about);
        let ty = if field.nullable {
            quote!(::core::option::Option<#ty>)
        } else {
            ty
        };
        let docs = doc(Some(about), &fallback);
        declarations.push(quote!(#docs pub #name: #ty,));
        let column = &field.name;
        if let Some(check) = check(&field.ty, quote!(value)) {
            let path = quote!(&::std::format!("{path}{}", #column));
            checks.push(if field.nullable {
                quote!(if let ::core::option::Option::Some(value) = &self.#name {
                    let field = #path;
                    #check
                })
            } else {
                quote!({
                    let value = &self.#name;
                    let field = #path;
                    #check
                })
            });
        }
        // A record that is printed by mistake must not give personal data away.
        debugs.push(
            if matches!(
                field.classification.as_deref(),
                Some("personal" | "confidential" | "restricted")
            ) {
                quote!(.field(#column, &::core::format_args!("<redacted>")))
            } else {
                quote!(.field(#column, &self.#name))
            },
        );
    }
    let path = if checks.is_empty() {
        quote!(_path)
    } else {
        quote!(path)
    };
    quote! {
        #about
        #[derive(Clone, PartialEq)]
        pub struct #name {
            #(#declarations)*
        }

        impl ::core::fmt::Debug for #name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_struct(#text) #(#debugs)* .finish()
            }
        }

        impl #name {
            fn check_limits(&self, #path: &str) -> #rt::Result<()> {
                #(#checks)*
                ::core::result::Result::Ok(())
            }
        }

        impl #rt::FieldValue for #name {
            fn write(&self, out: &mut ::std::vec::Vec<u8>) {
                #(#rt::FieldValue::write(&self.#names, out);)*
            }

            fn read(
                value: ::core::option::Option<&#rt::Value>,
                field: &str,
            ) -> #rt::Result<Self> {
                let ::core::option::Option::Some(value) = value else {
                    return ::core::result::Result::Err(#rt::mismatch(field, "a record"));
                };
                ::core::result::Result::Ok(Self {
                    #(#names: #rt::FieldValue::read(#rt::column(value, #columns)?, #columns)?,)*
                })
            }

            fn to_json(&self) -> #rt::Json {
                let mut map = #rt::JsonMap::new();
                #(map.insert(#columns.into(), #rt::FieldValue::to_json(&self.#names));)*
                #rt::Json::Object(map)
            }

            fn from_json(value: &#rt::Json, field: &str) -> #rt::Result<Self> {
                let #rt::Json::Object(map) = value else {
                    return ::core::result::Result::Err(#rt::mismatch(field, "a JSON object"));
                };
                ::core::result::Result::Ok(Self {
                    #(#names: #rt::FieldValue::from_json(
                        map.get(#columns).unwrap_or(&#rt::Json::Null),
                        #columns,
                    )?,)*
                })
            }
        }
    }
}

/// The statements that check `value` of type `ty`, a reference, with `field` in scope.
fn check(ty: &Type, value: TokenStream) -> Option<TokenStream> {
    let rt = rt();
    let option = |limit: &Option<i64>| match limit {
        Some(limit) => quote!(::core::option::Option::Some(#limit)),
        None => quote!(::core::option::Option::None),
    };
    let length = |limit: &Option<u32>| match limit {
        Some(limit) => quote!(::core::option::Option::Some(#limit)),
        None => quote!(::core::option::Option::None),
    };
    match ty {
        Type::String {
            min_length: None,
            max_length: None,
        }
        | Type::Int32 {
            minimum: None,
            maximum: None,
        }
        | Type::Int64 {
            minimum: None,
            maximum: None,
        } => None,
        Type::String {
            min_length,
            max_length,
        } => {
            let (min, max) = (length(min_length), length(max_length));
            Some(quote!(#rt::check_length(field, #value, #min, #max)?;))
        }
        Type::Int32 { minimum, maximum } | Type::Int64 { minimum, maximum } => {
            let (min, max) = (option(minimum), option(maximum));
            Some(quote!(#rt::check_range(field, i64::from(*#value), #min, #max)?;))
        }
        Type::Array(array) => {
            let inner = check(&array.items, quote!(item))?;
            Some(if array.nullable {
                quote!(for item in #value.iter().flatten() { #inner })
            } else {
                quote!(for item in #value.iter() { #inner })
            })
        }
        Type::Map(map) => {
            let inner = check(&map.values, quote!(item))?;
            Some(if map.nullable {
                quote!(for item in #value.values().flatten() { #inner })
            } else {
                quote!(for item in #value.values() { #inner })
            })
        }
        Type::Object(_) => Some(quote!(#value.check_limits(&::std::format!("{field}."))?;)),
        _ => None,
    }
}

fn enumeration(name: &Ident, about: &str, kind: &EnumType) -> TokenStream {
    let rt = rt();
    let about = doc(Some(about), "An enumeration.");
    let symbols: Vec<&str> = kind.symbols.iter().map(|s| s.value.as_str()).collect();
    let variants: Vec<Ident> = symbols.iter().map(|s| ident(&upper_camel(s))).collect();
    let indexes: Vec<i64> = (0..symbols.len() as i64).collect();
    let docs: Vec<TokenStream> = kind
        .symbols
        .iter()
        .map(|symbol| {
            doc(
                symbol.description.as_deref(),
                &format!("The symbol `{}`.", symbol.value),
            )
        })
        .collect();
    let expected = format!("one of {}", symbols.join(", "));
    quote! {
        #about
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum #name {
            #(#docs #variants,)*
        }

        impl #name {
            /// Every symbol in the contract's order.
            pub const ALL: &'static [Self] = &[#(Self::#variants),*];

            /// The symbol as it stands in the contract.
            pub fn as_str(&self) -> &'static str {
                match self {
                    #(Self::#variants => #symbols,)*
                }
            }
        }

        impl ::core::fmt::Display for #name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::core::str::FromStr for #name {
            type Err = #rt::Error;

            fn from_str(text: &str) -> #rt::Result<Self> {
                match text {
                    #(#symbols => ::core::result::Result::Ok(Self::#variants),)*
                    _ => ::core::result::Result::Err(#rt::mismatch(
                        ::core::stringify!(#name),
                        #expected,
                    )),
                }
            }
        }

        impl #rt::FieldValue for #name {
            fn write(&self, out: &mut ::std::vec::Vec<u8>) {
                #rt::write_long(match self { #(Self::#variants => #indexes,)* }, out);
            }

            fn read(
                value: ::core::option::Option<&#rt::Value>,
                field: &str,
            ) -> #rt::Result<Self> {
                match value {
                    ::core::option::Option::Some(#rt::Value::Enum(_, symbol)) => symbol
                        .parse()
                        .map_err(|_| #rt::mismatch(field, #expected)),
                    _ => ::core::result::Result::Err(#rt::mismatch(field, #expected)),
                }
            }

            fn to_json(&self) -> #rt::Json {
                #rt::Json::String(self.as_str().to_owned())
            }

            fn from_json(value: &#rt::Json, field: &str) -> #rt::Result<Self> {
                value
                    .as_str()
                    .and_then(|text| text.parse().ok())
                    .ok_or_else(|| #rt::mismatch(field, #expected))
            }
        }
    }
}

fn key(contract: &Contract, name: &Ident, prefix: &str) -> TokenStream {
    let rt = rt();
    let fields = contract.schema.kafka_key();
    let names: Vec<Ident> = fields.iter().map(|field| ident(&field.name)).collect();
    let columns: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    let types: Vec<TokenStream> = fields
        .iter()
        .map(|field| {
            let type_name = format!("{prefix}{}", upper_camel(&field.name));
            rust_type(&field.ty, &type_name, &mut Vec::new(), "")
        })
        .collect();
    let docs: Vec<TokenStream> = fields
        .iter()
        .map(|field| {
            doc(
                field.description.as_deref(),
                &format!("The column `{}`.", field.name),
            )
        })
        .collect();
    let about = format!("The Kafka key of `{}`.", contract.schema.topic);
    let read = if let ([only], [column]) = (names.as_slice(), columns.as_slice()) {
        quote!(::core::result::Result::Ok(Self {
            #only: #rt::FieldValue::read(::core::option::Option::Some(value), #column)?,
        }))
    } else {
        quote!(::core::result::Result::Ok(Self {
            #(#names: #rt::FieldValue::read(#rt::column(value, #columns)?, #columns)?,)*
        }))
    };
    quote! {
        #[doc = #about]
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct #name {
            #(#docs pub #names: #types,)*
        }

        impl #rt::RecordKey for #name {
            fn encode(&self, out: &mut ::std::vec::Vec<u8>) {
                #(#rt::FieldValue::write(&self.#names, out);)*
            }

            fn decode(value: &#rt::Value) -> #rt::Result<Self> {
                #read
            }

            fn to_text(&self) -> ::std::string::String {
                let columns: ::std::vec::Vec<::std::string::String> = ::std::vec![
                    #(match #rt::FieldValue::to_json(&self.#names) {
                        #rt::Json::String(text) => text,
                        other => other.to_string(),
                    }),*
                ];
                columns.join("/")
            }
        }
    }
}
