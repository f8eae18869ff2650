//! The Flight SQL door, through the client of arrow-flight.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, AsArray, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Int32Type, Int64Type, Schema};
use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{
    CommandGetDbSchemas, CommandGetExportedKeys, CommandGetPrimaryKeys, CommandGetTables,
    CommandStatementQuery, ProstMessageExt, SqlInfo,
};
use arrow_flight::{
    Action, CancelFlightInfoRequest, FlightDescriptor, FlightInfo, IpcMessage, Ticket,
};
use async_trait::async_trait;
use futures::TryStreamExt;
use mesh_core::{ErrorKind, Result};
use mesh_enforcement::{Logins, ScramSecret};
use mesh_query::{Engine, FlightOptions, FlightTls, serve_flight};
use prost::Message;
use tokio::net::TcpListener;
use tonic::transport::{Certificate, Channel, ClientTlsConfig};
use tonic::{Code, Status};

use crate::harness::{Platform, Sale, StoreProfile, sale, send, store};

type Client = FlightSqlServiceClient<Channel>;

/// Anna and Bob, whose passwords are their names twice.
#[derive(Debug)]
struct Users;

#[async_trait]
impl Logins for Users {
    async fn scram_secret(&self, _: &str) -> Result<Option<ScramSecret>> {
        Ok(None)
    }

    async fn verify(&self, name: &str, password: &str) -> Result<bool> {
        Ok(["anna", "bob"].contains(&name) && password == name.repeat(2))
    }
}

pub(crate) fn with_logins() -> FlightOptions {
    let mut options = FlightOptions::default();
    options.logins = Some(Arc::new(Users));
    options
}

/// The door of `engine`; it closes with the test's runtime.
pub(crate) async fn door(engine: Engine, options: FlightOptions) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let never = std::future::pending();
    tokio::spawn(async move {
        serve_flight(engine, listener, options, never)
            .await
            .unwrap()
    });
    address.to_string()
}

async fn client(address: &str) -> Client {
    let channel = Channel::from_shared(format!("http://{address}")).unwrap();
    let mut client = Client::new(channel.connect().await.unwrap());
    client.set_header("mesh-purpose", "analysis");
    client
}

pub(crate) async fn logged_in(address: &str, name: &str) -> Client {
    let mut client = client(address).await;
    client.handshake(name, &name.repeat(2)).await.unwrap();
    assert!(client.token().is_some());
    client
}

fn ticket(info: &FlightInfo) -> Ticket {
    info.endpoint[0].ticket.clone().unwrap()
}

async fn fetch(client: &mut Client, info: FlightInfo) -> Result<RecordBatch, FlightError> {
    let schema = Arc::new(info.clone().try_decode_schema().unwrap());
    let stream = client.do_get(ticket(&info)).await?;
    let batches: Vec<RecordBatch> = stream.try_collect().await?;
    for batch in &batches {
        assert_eq!(batch.schema(), schema, "what comes is what was promised");
    }
    Ok(arrow::compute::concat_batches(&schema, &batches).unwrap())
}

async fn query(client: &mut Client, sql: &str) -> Result<RecordBatch, FlightError> {
    let info = client.execute(sql.to_owned(), None).await;
    fetch(client, info?).await
}

async fn fails(client: &mut Client, sql: &str) -> String {
    match query(client, sql).await {
        Ok(_) => panic!("{sql} succeeds"),
        Err(error) => error.to_string(),
    }
}

/// Calls an action and gives its one answer.
async fn act(client: &mut Client, name: &str, body: Vec<u8>) -> Result<bytes::Bytes, Status> {
    let token = client.token().cloned();
    let mut request = tonic::Request::new(Action::new(name, body));
    if let Some(token) = token {
        let header = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", header);
    }
    let mut answers = client.inner_mut().do_action(request).await?.into_inner();
    Ok(answers.message().await?.unwrap().body)
}

fn texts(batch: &RecordBatch, column: &str) -> Vec<String> {
    let column = batch.column_by_name(column).unwrap().as_string::<i32>();
    column
        .iter()
        .map(|text| text.unwrap_or("NULL").to_owned())
        .collect()
}

pub(crate) async fn shop() -> Platform {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    let stores = platform.publish::<StoreProfile>().await;
    send(&sales, (0..500).map(|id| sale(id, "north", id * 100))).await;
    send(&stores, [store("north", "Oslo", 1)]).await;
    platform
}

#[tokio::test(flavor = "multi_thread")]
async fn who_logs_in_may_ask_and_nobody_else() {
    let platform = shop().await;
    let address = door(platform.engine(), with_logins()).await;
    let mut nobody = client(&address).await;
    let refused = fails(&mut nobody, "SELECT 1").await;
    assert!(refused.contains("token of a session"), "{refused}");
    nobody.set_header("mesh-principal", "anna");
    let refused = fails(&mut nobody, "SELECT 1").await;
    assert!(refused.contains("token of a session"), "{refused}");
    for (name, password) in [("anna", "wrong"), ("carl", "carlcarl"), ("", "")] {
        let error = client(&address).await.handshake(name, password).await;
        let refused = error.unwrap_err().to_string();
        assert!(refused.contains("name or password is wrong"), "{refused}");
    }
    nobody.set_token("AAAA".into());
    let refused = fails(&mut nobody, "SELECT 1").await;
    assert!(refused.contains("log in again"), "{refused}");

    let mut anna = logged_in(&address, "anna").await;
    let sql = "SELECT sale_id, amount, status, note FROM shop.sales WHERE sale_id < 4 ORDER BY 1";
    let batch = query(&mut anna, sql).await.unwrap();
    assert_eq!(
        batch.column(0).as_primitive::<Int64Type>().values(),
        &[0, 1, 2, 3]
    );
    assert_eq!(batch.column(1).data_type(), &DataType::Decimal128(12, 2));
    // Enumerations are plain text to whoever reads.
    assert_eq!(texts(&batch, "status"), ["PAID", "OPEN", "PAID", "OPEN"]);
    assert_eq!(texts(&batch, "note")[1], "NULL");
    let nested = "SELECT labels, manager, stock, opened_on, opens_at FROM shop.stores";
    assert_eq!(query(&mut anna, nested).await.unwrap().num_rows(), 1);
    let empty = query(&mut anna, "SELECT * FROM shop.sales WHERE sale_id < 0").await;
    assert_eq!(empty.unwrap().num_rows(), 0);

    act(&mut anna, "CloseSession", Vec::new()).await.unwrap();
    let refused = fails(&mut anna, "SELECT 1").await;
    assert!(refused.contains("log in again"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_purpose_comes_by_header_by_option_and_by_set() {
    let platform = shop().await;
    let address = door(platform.engine(), FlightOptions::default()).await;
    let channel = Channel::from_shared(format!("http://{address}")).unwrap();
    let channel = channel.connect().await.unwrap();
    // Nobody logs in here: the header is believed, as at the HTTP door.
    let mut anna = Client::new(channel);
    let refused = fails(&mut anna, "SELECT 1").await;
    assert!(refused.contains("mesh-principal"), "{refused}");
    anna.set_header("mesh-principal", "anna");
    let refused = fails(&mut anna, "SELECT 1").await;
    assert!(refused.contains("purpose"), "{refused}");
    let count = "SELECT count(*) AS n FROM shop.sales";
    query(&mut anna, "SET mesh.purpose = 'analysis'")
        .await
        .unwrap();
    query(&mut anna, count).await.unwrap();
    let shown = query(&mut anna, "SHOW mesh.purpose").await.unwrap();
    assert_eq!(texts(&shown, "mesh.purpose"), ["analysis"]);
    // The header of a call is for that call.
    anna.set_header("mesh-purpose", "fraud_review");
    let shown = query(&mut anna, "SHOW mesh.purpose").await.unwrap();
    assert_eq!(texts(&shown, "mesh.purpose"), ["fraud_review"]);
    let updated = anna.execute_update("RESET mesh.purpose".into(), None).await;
    assert_eq!(updated.unwrap(), 0);

    // A name without a password gives a session of its own.
    let mut bob = client(&address).await;
    bob.handshake("bob", "").await.unwrap();
    let set = |name: &str, value: &str| {
        // SetSessionOptionsRequest of Flight.proto, by hand: {1: {1: name, 2: {1: value}}}.
        let text = |tag: u8, bytes: &[u8]| {
            let length = u8::try_from(bytes.len()).unwrap();
            [&[tag << 3 | 2, length], bytes].concat()
        };
        let option = text(2, &text(1, value.as_bytes()));
        text(1, &[text(1, name.as_bytes()), option].concat())
    };
    let errors = act(
        &mut bob,
        "SetSessionOptions",
        set("statement_timeout", "5s"),
    )
    .await;
    assert!(errors.unwrap().is_empty());
    let shown = query(&mut bob, "SHOW statement_timeout").await.unwrap();
    assert_eq!(texts(&shown, "statement_timeout"), ["5000ms"]);
    for (name, value, code) in [("no.such", "1", 1), ("mesh.as_of", "yesterday", 2)] {
        let errors = act(&mut bob, "SetSessionOptions", set(name, value))
            .await
            .unwrap();
        assert_eq!(errors.last(), Some(&code), "{name}");
    }
    let options = act(&mut bob, "GetSessionOptions", Vec::new())
        .await
        .unwrap();
    assert!(options.windows(6).any(|part| part == b"5000ms"));
    let unknown = act(&mut bob, "Unheard", Vec::new()).await.unwrap_err();
    assert_eq!(unknown.code(), Code::Unimplemented);
}

#[tokio::test(flavor = "multi_thread")]
async fn prepared_statements_take_parameters_and_stay_with_their_session() {
    let platform = shop().await;
    let address = door(platform.engine(), with_logins()).await;
    let mut anna = logged_in(&address, "anna").await;
    let sql = "SELECT sale_id, amount FROM shop.sales WHERE amount = $1 AND sale_id < $2";
    let mut prepared = anna.prepare(sql.into(), None).await.unwrap();
    let types: Vec<&DataType> = prepared
        .parameter_schema()
        .unwrap()
        .fields()
        .iter()
        .map(|field| field.data_type())
        .collect();
    assert_eq!(types, [&DataType::Decimal128(12, 2), &DataType::Int64]);
    assert_eq!(prepared.dataset_schema().unwrap().fields().len(), 2);
    let unbound = prepared.execute().await.unwrap_err().to_string();
    assert!(unbound.contains("number of parameters"), "{unbound}");
    for (amount, below, rows) in [("7.00", 100, 1), ("8", 5, 0), ("9.00", 100, 1)] {
        // Text is read as the decimal that it is compared with.
        let values = RecordBatch::try_from_iter([
            ("a", Arc::new(StringArray::from(vec![amount])) as _),
            ("b", Arc::new(Int64Array::from(vec![below])) as _),
        ]);
        prepared.set_parameters(values.unwrap()).unwrap();
        let info = prepared.execute().await.unwrap();
        assert_eq!(
            fetch(&mut anna, info).await.unwrap().num_rows(),
            rows,
            "{amount}"
        );
    }
    let wrong = RecordBatch::try_from_iter([
        ("a", Arc::new(StringArray::from(vec!["seven"])) as _),
        ("b", Arc::new(Int64Array::from(vec![1])) as _),
    ]);
    prepared.set_parameters(wrong.unwrap()).unwrap();
    let error = prepared.execute().await.unwrap_err().to_string();
    assert!(error.contains("$1") && !error.contains("seven"), "{error}");
    let two = Decimal128Array::from(vec![1, 2]).with_precision_and_scale(12, 2);
    let two = RecordBatch::try_from_iter([
        ("a", Arc::new(two.unwrap()) as _),
        ("b", Arc::new(Int64Array::from(vec![1, 2])) as _),
    ]);
    prepared.set_parameters(two.unwrap()).unwrap();
    let error = prepared.execute().await.unwrap_err().to_string();
    assert!(error.contains("one set of parameters"), "{error}");

    // The handle of one session is nothing to another, of the same principal or not.
    let handle = prepared_handle(&mut anna, "SELECT 42 AS n").await;
    let info = anna.execute("SELECT 43 AS n".into(), None).await.unwrap();
    for other in ["anna", "bob"] {
        let mut other = logged_in(&address, other).await;
        let asked = execute_prepared(&mut other, &handle).await.unwrap_err();
        assert_eq!(asked.code(), Code::NotFound, "{asked}");
        let body = arrow_flight::sql::ActionClosePreparedStatementRequest {
            prepared_statement_handle: handle.clone(),
        };
        let body = body.as_any().encode_to_vec();
        let closed = act(&mut other, "ClosePreparedStatement", body).await;
        assert_eq!(closed.unwrap_err().code(), Code::NotFound);
        let stolen = fetch(&mut other, info.clone()).await.unwrap_err();
        assert!(
            stolen.to_string().contains("nothing under this handle"),
            "{stolen}"
        );
        let cancel = CancelFlightInfoRequest::new(info.clone()).encode_to_vec();
        let cancelled = act(&mut other, "CancelFlightInfo", cancel).await.unwrap();
        assert_eq!(cancelled.last(), Some(&3), "not cancellable");
    }
    let own = execute_prepared(&mut anna, &handle).await.unwrap();
    assert_eq!(fetch(&mut anna, own).await.unwrap().num_rows(), 1);
    // A ticket is for one time.
    assert_eq!(fetch(&mut anna, info.clone()).await.unwrap().num_rows(), 1);
    let again = fetch(&mut anna, info).await.unwrap_err().to_string();
    assert!(again.contains("nothing under this handle"), "{again}");
    prepared.close().await.unwrap();
}

async fn prepared_handle(client: &mut Client, sql: &str) -> bytes::Bytes {
    let body = arrow_flight::sql::ActionCreatePreparedStatementRequest {
        query: sql.to_owned(),
        transaction_id: None,
    };
    let body = body.as_any().encode_to_vec();
    // The purpose is not a setting of this session, but of each call of the client.
    let mut request = tonic::Request::new(Action::new("CreatePreparedStatement", body));
    authorize(client, &mut request);
    let mut answers = client
        .inner_mut()
        .do_action(request)
        .await
        .unwrap()
        .into_inner();
    let answer = answers.message().await.unwrap().unwrap();
    let any = arrow_flight::sql::Any::decode(&*answer.body).unwrap();
    let result: arrow_flight::sql::ActionCreatePreparedStatementResult =
        any.unpack().unwrap().unwrap();
    result.prepared_statement_handle
}

async fn execute_prepared(
    client: &mut Client,
    handle: &bytes::Bytes,
) -> Result<FlightInfo, Status> {
    let command = arrow_flight::sql::CommandPreparedStatementQuery {
        prepared_statement_handle: handle.clone(),
    };
    let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
    let mut request = tonic::Request::new(descriptor);
    authorize(client, &mut request);
    let info = client.inner_mut().get_flight_info(request).await?;
    Ok(info.into_inner())
}

fn authorize<T>(client: &Client, request: &mut tonic::Request<T>) {
    let header = format!("Bearer {}", client.token().unwrap());
    let headers = request.metadata_mut();
    headers.insert("authorization", header.parse().unwrap());
    headers.insert("mesh-purpose", "analysis".parse().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalog_is_told_with_schemas_and_keys() {
    let platform = shop().await;
    let address = door(platform.engine(), with_logins()).await;
    let mut anna = logged_in(&address, "anna").await;
    let info = anna.get_catalogs().await.unwrap();
    assert_eq!(
        texts(&fetch(&mut anna, info).await.unwrap(), "catalog_name"),
        ["mesh"]
    );
    let asked = CommandGetDbSchemas {
        catalog: Some("mesh".into()),
        db_schema_filter_pattern: Some("sh%".into()),
    };
    let info = anna.get_db_schemas(asked).await.unwrap();
    let schemas = fetch(&mut anna, info).await.unwrap();
    assert_eq!(texts(&schemas, "db_schema_name"), ["shop"]);
    let tables = |pattern: &str, include_schema| CommandGetTables {
        catalog: None,
        db_schema_filter_pattern: Some("shop".into()),
        table_name_filter_pattern: Some(pattern.into()),
        table_types: vec!["TABLE".into()],
        include_schema,
    };
    let info = anna.get_tables(tables("%", false)).await.unwrap();
    let names = fetch(&mut anna, info).await.unwrap();
    assert_eq!(
        texts(&names, "table_name"),
        ["sales", "sales_v1", "stores", "stores_v1"]
    );
    let info = anna.get_tables(tables("sales", true)).await.unwrap();
    let found = fetch(&mut anna, info).await.unwrap();
    assert_eq!(found.num_rows(), 1);
    let bytes = found.column_by_name("table_schema").unwrap();
    let bytes = bytes.as_binary::<i32>().value(0).to_vec();
    let schema = Schema::try_from(IpcMessage(bytes.into())).unwrap();
    let status = schema.field_with_name("status").unwrap();
    assert_eq!(status.data_type(), &DataType::Utf8);
    let about = &schema.field_with_name("amount").unwrap().metadata();
    assert_eq!(about["ARROW:FLIGHT:SQL:TYPE_NAME"], "DECIMAL(12,2)");
    assert_eq!(about["ARROW:FLIGHT:SQL:SCALE"], "2");

    let info = anna.get_table_types().await.unwrap();
    assert_eq!(
        texts(&fetch(&mut anna, info).await.unwrap(), "table_type"),
        ["TABLE"]
    );
    for (table, key) in [
        ("stores", vec!["store"]),
        ("sales", vec![]),
        ("nothing", vec![]),
    ] {
        let asked = CommandGetPrimaryKeys {
            catalog: None,
            db_schema: Some("shop".into()),
            table: table.into(),
        };
        let info = anna.get_primary_keys(asked).await.unwrap();
        let keys = fetch(&mut anna, info).await.unwrap();
        assert_eq!(texts(&keys, "column_name"), key, "{table}");
        if !key.is_empty() {
            let places = keys.column_by_name("key_sequence").unwrap();
            assert_eq!(places.as_primitive::<Int32Type>().values(), &[1]);
        }
    }
    let asked = CommandGetExportedKeys {
        table: "stores".into(),
        ..CommandGetExportedKeys::default()
    };
    let info = anna.get_exported_keys(asked).await.unwrap();
    assert_eq!(fetch(&mut anna, info).await.unwrap().num_rows(), 0);
    let asked = vec![
        SqlInfo::FlightSqlServerName,
        SqlInfo::FlightSqlServerReadOnly,
    ];
    let info = anna.get_sql_info(asked).await.unwrap();
    assert_eq!(fetch(&mut anna, info).await.unwrap().num_rows(), 2);
    let info = anna.get_xdbc_type_info(Default::default()).await.unwrap();
    let types = fetch(&mut anna, info).await.unwrap();
    assert!(texts(&types, "type_name").contains(&"DECIMAL".to_owned()));

    // GetSchema gives the same columns, without a ticket.
    let command = CommandStatementQuery {
        query: "SELECT status, amount * 2 AS double FROM shop.sales".into(),
        transaction_id: None,
    };
    let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
    let mut request = tonic::Request::new(descriptor);
    authorize(&anna, &mut request);
    let schema = anna
        .inner_mut()
        .get_schema(request)
        .await
        .unwrap()
        .into_inner();
    let schema = Schema::try_from(&schema).unwrap();
    assert_eq!(schema.field(0).data_type(), &DataType::Utf8);
    assert_eq!(schema.field(1).name(), "double");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_say_what_to_do_and_no_value() {
    let platform = shop().await;
    let address = door(platform.engine(), with_logins()).await;
    let mut anna = logged_in(&address, "anna").await;
    for (sql, code, part) in [
        ("SELEC", Code::InvalidArgument, "parse"),
        ("SELECT * FROM shop.nothing", Code::NotFound, "SHOW TABLES"),
        (
            "DROP TABLE shop.sales",
            Code::PermissionDenied,
            "only statements that read",
        ),
        (
            "SELECT 1; SELECT 2",
            Code::InvalidArgument,
            "exactly one statement",
        ),
        (
            "SELECT 1 / sale_id FROM shop.sales",
            Code::InvalidArgument,
            "NULLIF",
        ),
        (
            "SELECT $1 + 1",
            Code::InvalidArgument,
            "number of parameters",
        ),
        (
            "SELECT CAST(store AS BIGINT) FROM shop.sales",
            Code::InvalidArgument,
            "TRY_CAST",
        ),
    ] {
        let error = query(&mut anna, sql).await.unwrap_err();
        let text = error.to_string();
        let FlightError::Tonic(status) = error else {
            panic!("{sql}: {text}")
        };
        assert_eq!(status.code(), code, "{sql}: {text}");
        assert!(text.contains(part) && !text.contains("north"), "{text}");
    }
    let error = anna
        .execute_update("SELECT 1".into(), None)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("as a query"), "{error}");
    let error = anna
        .execute_update("DELETE FROM shop.sales".into(), None)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("only statements that read"),
        "{error}"
    );
    let error = anna.begin_transaction().await.unwrap_err();
    assert!(error.to_string().contains("need none"), "{error}");
    let rows = RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![1])) as _)]);
    let ingest = arrow_flight::sql::CommandStatementIngest {
        table: "sales".into(),
        schema: Some("shop".into()),
        ..Default::default()
    };
    let batches = futures::stream::iter([Ok(rows.unwrap())]);
    let error = anna.execute_ingest(ingest, batches).await.unwrap_err();
    assert!(
        error.to_string().contains("the domain that owns it"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn planning_reads_nothing_and_an_end_stops_the_reading() {
    let platform = Platform::start().await;
    let sales = platform.publish::<Sale>().await;
    let wide = |id| Sale {
        note: Some(format!("{id:-^500}")),
        ..sale(id, "north", 1)
    };
    send(&sales, (0..60_000).map(wide)).await;
    let mut config = platform.config();
    config.prefetch_bytes = 1 << 20;
    let address = door(Engine::new(config).unwrap(), with_logins()).await;
    let mut anna = logged_in(&address, "anna").await;
    // The engine's own connections are there from now on.
    let none = "SELECT count(*) FROM shop.sales WHERE _offset < 0";
    query(&mut anna, none).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let metrics = || platform.broker.metrics();
    let connections = metrics().connections;
    let sql = "SELECT note, sale_id FROM shop.sales";
    let fetched = metrics().fetched_bytes;
    let info = anna.execute(sql.into(), None).await.unwrap();
    assert_eq!(metrics().fetched_bytes, fetched, "planning reads nothing");
    let settled = async |what: &str, fetched: u64| {
        let begun = Instant::now();
        while metrics().connections > connections {
            assert!(begun.elapsed() < Duration::from_secs(5), "{what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(
            metrics().fetched_bytes - fetched < metrics().produced_bytes,
            "{what}"
        );
    };

    // Dropping the call.
    let mut rows = anna.do_get(ticket(&info)).await.unwrap();
    rows.try_next().await.unwrap().unwrap();
    assert!(metrics().connections > connections, "it reads");
    drop(rows);
    settled("a dropped call", fetched).await;

    // Cancelling it.
    let fetched = metrics().fetched_bytes;
    let info = anna.execute(sql.into(), None).await.unwrap();
    let mut rows = anna.do_get(ticket(&info)).await.unwrap();
    rows.try_next().await.unwrap().unwrap();
    let cancel = CancelFlightInfoRequest::new(info.clone()).encode_to_vec();
    let cancelled = act(&mut anna, "CancelFlightInfo", cancel.clone())
        .await
        .unwrap();
    assert_eq!(cancelled.last(), Some(&1), "cancelled");
    let error = loop {
        match rows.try_next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("a cancelled statement ends well"),
            Err(error) => break error,
        }
    };
    let FlightError::Tonic(status) = error else {
        panic!("{error}")
    };
    assert_eq!(status.code(), Code::Cancelled);
    settled("a cancelled call", fetched).await;
    let again = act(&mut anna, "CancelFlightInfo", cancel).await.unwrap();
    assert_eq!(again.last(), Some(&3), "not cancellable");

    // Closing the session.
    let fetched = metrics().fetched_bytes;
    let info = anna.execute(sql.into(), None).await.unwrap();
    let mut rows = anna.do_get(ticket(&info)).await.unwrap();
    rows.try_next().await.unwrap().unwrap();
    act(&mut anna, "CloseSession", Vec::new()).await.unwrap();
    while let Ok(Some(_)) = rows.try_next().await {}
    settled("a closed session", fetched).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_keeps_a_bounded_number_of_tickets_and_prepared_statements() {
    let platform = shop().await;
    let address = door(platform.engine(), with_logins()).await;
    let mut anna = logged_in(&address, "anna").await;
    let mut refused = None;
    for _ in 0..300 {
        if let Err(error) = anna.execute("SELECT 1".into(), None).await {
            refused = Some(error.to_string());
            break;
        }
    }
    let refused = refused.expect("tickets are bounded");
    assert!(refused.contains("tickets"), "{refused}");
    let mut refused = None;
    for _ in 0..300 {
        if let Err(error) = anna.prepare("SELECT 1".into(), None).await {
            refused = Some(error.to_string());
            break;
        }
    }
    let refused = refused.expect("prepared statements are bounded");
    assert!(refused.contains("prepared statements"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_spoken_and_the_door_opens_to_others_only_with_it() {
    let platform = shop().await;
    let key = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate = key.cert.pem();
    let mut options = with_logins();
    options.tls = Some(FlightTls {
        certificate: certificate.clone().into_bytes(),
        key: key.signing_key.serialize_pem().into_bytes(),
    });
    let address = door(platform.engine(), options).await;
    let port = address.rsplit_once(':').unwrap().1.to_owned();
    let trust = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(certificate))
        .domain_name("localhost");
    let channel = Channel::from_shared(format!("https://localhost:{port}"))
        .unwrap()
        .tls_config(trust)
        .unwrap();
    let mut anna = Client::new(channel.connect().await.unwrap());
    anna.set_header("mesh-purpose", "analysis");
    anna.handshake("anna", "annaanna").await.unwrap();
    let count = query(&mut anna, "SELECT count(*) AS n FROM shop.sales")
        .await
        .unwrap();
    assert_eq!(count.column(0).as_primitive::<Int64Type>().value(0), 500);

    for options in [FlightOptions::default(), with_logins()] {
        let everywhere = TcpListener::bind(("0.0.0.0", 0)).await.unwrap();
        let engine = platform.engine();
        let error = serve_flight(engine, everywhere, options, std::future::pending()).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
}
