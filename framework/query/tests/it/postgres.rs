//! The Postgres door, spoken to byte by byte; `.ci/sql-clients` tries real clients.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mesh_core::ErrorKind;
use mesh_query::{DoorOptions, Engine, Parts, serve_postgres};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::harness::{Platform, Sale, StoreProfile, sale, send, store};
use crate::safety::Denying;

/// A door that closes with its test.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    task: JoinHandle<mesh_core::Result<()>>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) async fn serve(engine: Engine, options: DoorOptions) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(serve_postgres(
        engine,
        listener,
        options,
        std::future::pending(),
    ));
    Served { address, task }
}

/// A message of the server.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Message(pub(crate) char, pub(crate) Vec<u8>);

impl Message {
    /// The fields of an error or a notice by their letters.
    pub(crate) fn fields(&self) -> HashMap<char, String> {
        self.1
            .split(|byte| *byte == 0)
            .filter(|field| !field.is_empty())
            .map(|field| {
                let text = String::from_utf8(field[1..].to_vec()).unwrap();
                (char::from(field[0]), text)
            })
            .collect()
    }

    /// The values of a row.
    fn values(&self) -> Vec<Option<String>> {
        let mut rest = &self.1[2..];
        let mut values = Vec::new();
        while let Some((length, after)) = rest.split_at_checked(4) {
            let length = i32::from_be_bytes(length.try_into().unwrap());
            rest = after;
            values.push(usize::try_from(length).ok().map(|length| {
                let (value, after) = rest.split_at(length);
                rest = after;
                String::from_utf8(value.to_vec()).unwrap()
            }));
        }
        values
    }

    fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.1);
        text.strip_suffix('\0').unwrap_or(&text).to_owned()
    }
}

/// A client.
pub(crate) struct Pg {
    socket: TcpStream,
    key: Vec<u8>,
    parameters: HashMap<String, String>,
}

impl Pg {
    async fn connect(served: &Served) -> Self {
        Self::connect_with(served, &[("mesh.purpose", "analysis")])
            .await
            .unwrap()
    }

    /// Connects as anna, or gives the error that it was refused with.
    async fn connect_with(
        served: &Served,
        parameters: &[(&str, &str)],
    ) -> Result<Self, HashMap<char, String>> {
        let mut pg = Self::begin(served, parameters).await;
        pg.started().await?;
        Ok(pg)
    }

    /// Says who it is, and no more.
    pub(crate) async fn begin(served: &Served, parameters: &[(&str, &str)]) -> Self {
        let mut body = 196_608_i32.to_be_bytes().to_vec();
        let given: Vec<&str> = parameters.iter().map(|(name, _)| *name).collect();
        for (name, value) in [("user", "anna"), ("database", "mesh")]
            .iter()
            .filter(|(name, _)| !given.contains(name))
            .chain(parameters)
        {
            body.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
        }
        body.push(0);
        let mut socket = TcpStream::connect(served.address).await.unwrap();
        let length = i32::try_from(body.len() + 4).unwrap();
        socket.write_all(&length.to_be_bytes()).await.unwrap();
        socket.write_all(&body).await.unwrap();
        Self {
            socket,
            key: Vec::new(),
            parameters: HashMap::new(),
        }
    }

    /// Waits until it may ask, or gives the error that it is refused with.
    pub(crate) async fn started(&mut self) -> Result<(), HashMap<char, String>> {
        loop {
            let message = self.next().await.expect("the door says why");
            match message.0 {
                'E' => return Err(message.fields()),
                'K' => self.key = message.1,
                'S' => {
                    let text = message.text();
                    let (name, value) = text.split_once('\0').unwrap();
                    self.parameters.insert(name.to_owned(), value.to_owned());
                }
                'Z' => return Ok(()),
                _ => {}
            }
        }
    }

    pub(crate) async fn next(&mut self) -> Option<Message> {
        let first = self.socket.read_u8().await.ok()?;
        let length = self.socket.read_i32().await.ok()?;
        let mut body = vec![0; usize::try_from(length).unwrap() - 4];
        self.socket.read_exact(&mut body).await.ok()?;
        Some(Message(char::from(first), body))
    }

    pub(crate) async fn say(&mut self, first: char, body: &[u8]) {
        let mut message = vec![u8::try_from(first).unwrap()];
        message.extend_from_slice(&i32::try_from(body.len() + 4).unwrap().to_be_bytes());
        message.extend_from_slice(body);
        self.socket.write_all(&message).await.unwrap();
    }

    /// Everything up to the server's being ready again.
    async fn answer(&mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        loop {
            let message = self.next().await.expect("the connection stays");
            let ready = message.0 == 'Z';
            messages.push(message);
            if ready {
                return messages;
            }
        }
    }

    async fn query(&mut self, sql: &str) -> Vec<Message> {
        self.say('Q', format!("{sql}\0").as_bytes()).await;
        self.answer().await
    }

    /// The rows, values joined by `,` and rows by `;`.
    pub(crate) async fn rows(&mut self, sql: &str) -> String {
        let messages = self.query(sql).await;
        shown(&messages, sql)
    }

    /// The state and the hint of the error.
    async fn fails(&mut self, sql: &str) -> (String, String) {
        let messages = self.query(sql).await;
        let error = messages.iter().find(|message| message.0 == 'E');
        let fields = error.unwrap_or_else(|| panic!("{sql} passes")).fields();
        (fields[&'C'].clone(), format!("{fields:?}"))
    }

    /// Parses, binds texts and describes; all but the last message is left to `answer`.
    async fn prepare(&mut self, name: &str, sql: &str, types: &[u32]) {
        let mut body = format!("{name}\0{sql}\0").into_bytes();
        body.extend_from_slice(&u16::try_from(types.len()).unwrap().to_be_bytes());
        for oid in types {
            body.extend_from_slice(&oid.to_be_bytes());
        }
        self.say('P', &body).await;
    }

    async fn bind(&mut self, portal: &str, name: &str, values: &[Option<&str>]) {
        let mut body = format!("{portal}\0{name}\0").into_bytes();
        body.extend_from_slice(&[0, 0]);
        body.extend_from_slice(&u16::try_from(values.len()).unwrap().to_be_bytes());
        for value in values {
            let length = value.map_or(-1, |value| i32::try_from(value.len()).unwrap());
            body.extend_from_slice(&length.to_be_bytes());
            body.extend_from_slice(value.unwrap_or_default().as_bytes());
        }
        body.extend_from_slice(&[0, 0]);
        self.say('B', &body).await;
    }

    async fn execute(&mut self, portal: &str, most: i32) {
        let mut body = format!("{portal}\0").into_bytes();
        body.extend_from_slice(&most.to_be_bytes());
        self.say('E', &body).await;
    }

    async fn sync(&mut self) -> Vec<Message> {
        self.say('S', &[]).await;
        self.answer().await
    }

    /// Asks on another connection to stop what this one runs.
    async fn cancel(&self, served: &Served, key: &[u8]) {
        let mut socket = TcpStream::connect(served.address).await.unwrap();
        socket.write_all(&16_i32.to_be_bytes()).await.unwrap();
        socket
            .write_all(&80_877_102_i32.to_be_bytes())
            .await
            .unwrap();
        socket.write_all(key).await.unwrap();
        let mut end = Vec::new();
        socket.read_to_end(&mut end).await.unwrap();
        assert!(end.is_empty());
    }
}

fn shown(messages: &[Message], sql: &str) -> String {
    if let Some(error) = messages.iter().find(|message| message.0 == 'E') {
        panic!("{sql}: {:?}", error.fields());
    }
    messages
        .iter()
        .filter(|message| message.0 == 'D')
        .map(|row| {
            let values = row.values().into_iter();
            let values = values.map(|value| value.unwrap_or_else(|| "null".to_owned()));
            values.collect::<Vec<_>>().join(",")
        })
        .collect::<Vec<_>>()
        .join(";")
}

/// The letters of the messages.
fn letters(messages: &[Message]) -> String {
    messages.iter().map(|message| message.0).collect()
}

/// A statement that takes for ever.
const ENDLESS: &str = "SELECT sum(a.value * b.value) FROM generate_series(1, 1000000) a \
    CROSS JOIN generate_series(1, 1000000) b";

async fn shop(platform: &Platform) {
    let sales = platform.publish::<Sale>().await;
    let stores = platform.publish::<StoreProfile>().await;
    send(&sales, (0..300).map(|id| sale(id, "north", id * 10))).await;
    send(
        &stores,
        [store("north", "Oslo", 1), store("south", "Rome", 2)],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_have_their_types_and_are_written_as_postgres_writes_them() {
    let platform = Platform::start().await;
    shop(&platform).await;
    let served = serve(platform.engine(), DoorOptions::default()).await;
    let mut pg = Pg::connect(&served).await;
    assert_eq!(pg.parameters["server_encoding"], "UTF8");
    assert_eq!(pg.parameters["session_authorization"], "anna");
    for (sql, expected) in [
        (
            "SELECT sale_id, store, amount, status, sold_at, note FROM shop.sales \
             WHERE sale_id IN (3, 4) ORDER BY 1",
            "3,north,0.30,OPEN,2023-11-14 22:13:20.000003+00,note 3;\
             4,north,0.40,PAID,2023-11-14 22:13:20.000004+00,null",
        ),
        (
            "SELECT opened_on, labels, manager, opens_at FROM shop.stores WHERE store = 'north'",
            "2001-02-03,{a,\"b,\\\"c\\\"\"},{\"name\":\"Jo\",\"age\":null},08:30:00",
        ),
        (
            "SELECT true, 1.5::double, CAST('1e300' AS DOUBLE), x'00ff', NULL",
            "t,1.5,1e+300,\\x00ff,null",
        ),
        ("SELECT count(*) FROM shop.sales; SELECT 2 ; ", "300;2"),
        ("SELECT ';' AS a -- ; \n;", ";"),
        ("SHOW mesh.purpose", "analysis"),
        ("SHOW server_version_num", "160000"),
        (
            "SELECT current_user, current_database(), version() LIKE 'PostgreSQL 16%'",
            "anna,mesh,t",
        ),
        (
            "EXPLAIN SELECT 1 WHERE false",
            "logical_plan,EmptyRelation: rows=0;physical_plan,EmptyExec\n",
        ),
    ] {
        assert_eq!(pg.rows(sql).await, expected, "{sql}");
    }
    // The name, and after six bytes the type.
    let messages = pg
        .query("SELECT count(*), amount FROM shop.sales GROUP BY amount LIMIT 0")
        .await;
    assert_eq!(letters(&messages), "TCZ");
    let described = &messages[0].1;
    assert!(
        described[2..].starts_with(b"count\0\0\0\0\0\0\0\0\0\0\x14\0\x08"),
        "{described:?}"
    );
    assert_eq!(messages[1].text(), "SELECT 0");
    assert_eq!(letters(&pg.query(" ; -- nothing\n").await), "IZ");
}

#[tokio::test(flavor = "multi_thread")]
async fn prepared_statements_have_typed_parameters_and_rows_come_as_asked_for() {
    let platform = Platform::start().await;
    shop(&platform).await;
    let served = serve(platform.engine(), DoorOptions::default()).await;
    let mut pg = Pg::connect(&served).await;

    let sql = "SELECT sale_id FROM shop.sales WHERE sale_id >= $1 AND store = $2 ORDER BY 1";
    pg.prepare("s", sql, &[]).await;
    pg.say('D', b"Ss\0").await;
    let messages = pg.sync().await;
    assert_eq!(letters(&messages), "1tTZ");
    assert_eq!(messages[1].1, [0, 2, 0, 0, 0, 20, 0, 0, 0, 25]);

    pg.query("BEGIN").await;
    pg.bind("p", "s", &[Some("295"), Some("north")]).await;
    pg.execute("p", 2).await;
    let messages = pg.sync().await;
    assert_eq!(letters(&messages), "2DDsZ");
    assert_eq!(shown(&messages, sql), "295;296");
    assert_eq!(messages[4].1, b"T");
    pg.execute("p", 2).await;
    pg.execute("p", 0).await;
    let messages = pg.sync().await;
    assert_eq!(letters(&messages), "DDsDCZ");
    assert_eq!(shown(&messages, sql), "297;298;299");
    assert_eq!(messages[4].text(), "SELECT 1");
    assert_eq!(letters(&pg.query("COMMIT").await), "CZ");
    pg.execute("p", 0).await;
    let messages = pg.sync().await;
    assert_eq!(
        messages[0].fields()[&'C'],
        "34000",
        "portals end with their transaction"
    );

    // After an error everything up to the Sync is passed over.
    pg.bind("", "s", &[Some("many"), Some("north")]).await;
    pg.execute("", 0).await;
    let messages = pg.sync().await;
    assert_eq!(letters(&messages), "EZ");
    let fields = messages[0].fields();
    assert_eq!(fields[&'C'], "22P02");
    assert!(!format!("{fields:?}").contains("many"), "{fields:?}");

    pg.bind("", "s", &[None, Some("north")]).await;
    pg.execute("", 0).await;
    assert_eq!(letters(&pg.sync().await), "2CZ");

    // Another connection does not know it.
    let mut other = Pg::connect(&served).await;
    other.bind("", "s", &[Some("1"), Some("north")]).await;
    let messages = other.sync().await;
    assert_eq!(messages[0].fields()[&'C'], "26000");

    pg.say('C', b"Ss\0").await;
    pg.bind("", "s", &[Some("1"), Some("north")]).await;
    assert_eq!(letters(&pg.sync().await), "3EZ");
    pg.prepare("", "SELECT 1; SELECT 2", &[]).await;
    assert_eq!(pg.sync().await[0].fields()[&'C'], "42601");
    // What the client declares is what it sends.
    pg.prepare("", "SELECT $1, $2", &[23, 0]).await;
    pg.say('D', b"S\0").await;
    pg.bind("", "", &[Some("7"), Some("x")]).await;
    pg.execute("", 0).await;
    let messages = pg.sync().await;
    assert_eq!(messages[1].1, [0, 2, 0, 0, 0, 23, 0, 0, 0, 25]);
    assert_eq!(shown(&messages, "SELECT $1, $2"), "7,x");
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_and_transactions_hold_what_they_promise() {
    let platform = Platform::start().await;
    shop(&platform).await;
    let served = serve(platform.engine(), DoorOptions::default()).await;
    let mut pg = Pg::connect(&served).await;
    let status = |messages: Vec<Message>| char::from(messages.last().unwrap().1[0]);

    assert_eq!(pg.fails("DECLARE c CURSOR FOR SELECT 1").await.0, "25P01");
    assert_eq!(status(pg.query("BEGIN READ ONLY").await), 'T');
    pg.query("DECLARE c CURSOR FOR SELECT sale_id FROM shop.sales ORDER BY 1")
        .await;
    assert_eq!(pg.rows("FETCH 2 FROM c").await, "0;1");
    assert_eq!(pg.query("MOVE 290 FROM c").await[0].text(), "MOVE 290");
    assert_eq!(
        pg.rows("FETCH ALL FROM c").await,
        "292;293;294;295;296;297;298;299"
    );
    assert_eq!(pg.rows("FETCH c").await, "");

    pg.query("SET LOCAL statement_timeout = '7s'; SET mesh.corrupt_records = skip")
        .await;
    pg.query("SAVEPOINT s").await;
    assert_eq!(pg.fails("SELECT nothing").await.0, "42703");
    assert_eq!(pg.fails("SELECT 1").await.0, "25P02");
    assert_eq!(status(pg.query("ROLLBACK TO s").await), 'T');
    assert_eq!(pg.rows("SHOW statement_timeout").await, "7000ms");
    assert_eq!(status(pg.query("COMMIT").await), 'I');
    assert_eq!(pg.rows("SHOW statement_timeout").await, "0");
    assert_eq!(pg.rows("SHOW mesh.corrupt_records").await, "skip");
    assert_eq!(pg.fails("FETCH c").await.0, "34000");

    pg.query("BEGIN; SET mesh.purpose = 'fraud_review'").await;
    pg.fails("SELECT nothing").await;
    assert_eq!(pg.query("COMMIT").await[0].text(), "ROLLBACK");
    assert_eq!(
        pg.rows("SHOW mesh.purpose").await,
        "analysis",
        "it was rolled back"
    );
    pg.query("SET mesh.purpose = 'fraud_review'").await;
    pg.query("RESET ALL").await;
    assert_eq!(
        pg.rows("SHOW mesh.purpose").await,
        "analysis",
        "as it began"
    );
    assert_eq!(letters(&pg.query("COMMIT").await), "NCZ");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_have_states_and_nothing_but_reading_is_done() {
    let platform = Platform::start().await;
    shop(&platform).await;
    let served = serve(platform.engine(), DoorOptions::default()).await;
    let mut pg = Pg::connect(&served).await;
    for (sql, state) in [
        ("SELEC 1", "42601"),
        ("SELECT * FROM shop.nothing", "42P01"),
        ("SELECT * FROM nothing", "42P01"),
        ("SELECT nothing FROM shop.sales", "42703"),
        ("SELECT no_such_function(1)", "42883"),
        ("SELECT 1/(sale_id - sale_id) FROM shop.sales", "22012"),
        ("SELECT 'x'::int", "22P02"),
        ("SELECT $1::int", "42P02"),
        ("DELETE FROM shop.sales", "42501"),
        ("CREATE TABLE t (a INT)", "42501"),
        ("COPY shop.sales TO '/tmp/x'", "0A000"),
        ("SET ROLE admin", "42601"),
        ("SET client_encoding = 'LATIN1'", "22023"),
        ("SET mesh.purpose = 'no; purpose'", "22023"),
        ("SHOW nothing", "42704"),
    ] {
        let (found, fields) = pg.fails(sql).await;
        assert_eq!(found, state, "{sql}: {fields}");
    }
    // Names without a schema are found where they are unique, and along the search path.
    assert_eq!(pg.rows("SELECT count(*) FROM sales").await, "300");
    pg.query("SET search_path = elsewhere").await;
    assert_eq!(pg.fails("SELECT count(*) FROM sales").await.0, "42P01");
    pg.query("SET search_path = elsewhere, shop").await;
    assert_eq!(pg.rows("SELECT count(*) FROM sales").await, "300");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_is_cancelled_by_who_knows_its_key_and_ends_with_its_client() {
    let platform = Platform::start().await;
    let mut config = platform.config();
    config.max_queries = 1;
    let engine = Engine::new(config).unwrap();
    let served = serve(engine, DoorOptions::default()).await;
    let mut pg = Pg::connect(&served).await;

    // One that comes too early is not for what runs later.
    let key = pg.key.clone();
    pg.cancel(&served, &key).await;
    assert_eq!(pg.rows("SELECT 1").await, "1");

    pg.say('Q', format!("{ENDLESS}\0").as_bytes()).await;
    let mut wrong = key.clone();
    wrong[7] ^= 1;
    pg.cancel(&served, &wrong).await;
    let early = tokio::time::timeout(Duration::from_millis(300), pg.next()).await;
    // The columns may have come, an error may not.
    assert!(!matches!(early, Ok(Some(Message('E', _)))), "{early:?}");
    let messages = loop {
        // It may not have begun yet.
        pg.cancel(&served, &key).await;
        if let Ok(messages) = tokio::time::timeout(Duration::from_millis(200), pg.answer()).await {
            break messages;
        }
    };
    let error = messages.iter().find(|message| message.0 == 'E').unwrap();
    assert_eq!(error.fields()[&'C'], "57014");

    // Its place is free again; and once more when a client goes away in the middle.
    pg.say('Q', format!("{ENDLESS}\0").as_bytes()).await;
    let mut other = Pg::connect(&served).await;
    let busy = loop {
        let messages = other.query("SELECT 1").await;
        if let Some(error) = messages.iter().find(|message| message.0 == 'E') {
            break error.fields()[&'C'].clone();
        }
    };
    assert_eq!(busy, "53000");
    drop(pg);
    let ended = async {
        while letters(&other.query("SELECT 1").await) != "TDCZ" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ended)
        .await
        .unwrap();
    other.query("SET statement_timeout = 50").await;
    assert_eq!(other.fails(ENDLESS).await.0, "57014");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_connects_is_told_what_is_wrong() {
    let platform = Platform::start().await;
    shop(&platform).await;
    let mut options = DoorOptions::default();
    options.connections = 2;
    let served = serve(platform.engine(), options).await;
    for (parameters, state) in [
        (&[("database", "postgres")][..], "3D000"),
        (&[("user", "no; user")], "28000"),
        (&[("options", "-c nothing.at_all=1")], "42704"),
        (&[("mesh.purpose", "no; purpose")], "22023"),
        (&[("replication", "database")], "0A000"),
    ] {
        let refused = Pg::connect_with(&served, parameters).await;
        assert_eq!(refused.err().unwrap()[&'C'], state, "{parameters:?}");
    }
    // Without a purpose drivers learn what they need, and nobody reads a product.
    let mut pg = Pg::connect_with(&served, &[("user", "service:loan")])
        .await
        .unwrap();
    assert_eq!(pg.rows("SELECT current_user").await, "service:loan");
    let (state, fields) = pg.fails("SELECT count(*) FROM shop.sales").await;
    assert_eq!(state, "28000");
    assert!(fields.contains("SET mesh.purpose"), "{fields}");
    pg.query("SET mesh.purpose TO analysis").await;
    assert_eq!(pg.rows("SELECT count(*) FROM shop.sales").await, "300");

    let options = [
        (
            "options",
            "-c mesh.purpose=analysis -c statement_timeout=5s",
        ),
        ("TimeZone", "Europe/Oslo"),
    ];
    let mut second = Pg::connect_with(&served, &options).await.unwrap();
    assert_eq!(second.rows("SHOW statement_timeout").await, "5000ms");
    assert_eq!(second.parameters["TimeZone"], "UTC");
    let third = Pg::connect_with(&served, &[]).await;
    assert_eq!(third.err().unwrap()[&'C'], "53300");
    second.say('X', &[]).await;
    assert!(second.next().await.is_none());
    let again = async {
        while Pg::connect_with(&served, &[]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), again)
        .await
        .unwrap();

    // What is no message ends the connection, and no other.
    pg.say('P', b"s\0SELECT").await;
    let refused = pg.next().await.unwrap();
    assert_eq!(refused.fields()[&'C'], "08P01");
    assert!(pg.next().await.is_none());

    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let open = serve_postgres(platform.engine(), listener, DoorOptions::default(), async {
    })
    .await;
    assert_eq!(open.unwrap_err().kind(), ErrorKind::FailedPrecondition);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalog_shows_what_the_session_may_see_and_nothing_else() {
    let platform = Platform::start().await;
    shop(&platform).await;
    let mut parts = Parts::default();
    parts.decisions = Arc::new(Denying(HashSet::from(["sales"])));
    let engine = Engine::with(platform.config(), parts).unwrap();
    let served = serve(engine, DoorOptions::default()).await;
    let open = serve(platform.engine(), DoorOptions::default()).await;
    let (mut few, mut all) = (Pg::connect(&served).await, Pg::connect(&open).await);
    for (sql, of_few, of_all) in [
        (
            "SELECT relname FROM pg_class WHERE relkind = 'r' ORDER BY 1",
            "stores;stores_v1",
            "sales;sales_v1;stores;stores_v1",
        ),
        (
            "SELECT count(*) FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c \
             ON c.oid = a.attrelid WHERE c.relname = 'sales'",
            "0",
            "6",
        ),
        (
            "SELECT description FROM pg_description d JOIN pg_class c ON c.oid = d.objoid \
             WHERE c.relname = 'sales' ORDER BY objsubid",
            "",
            "To be queried in tests.;The sale's number.",
        ),
        (
            "SELECT tablename FROM pg_tables WHERE tablename = 'sales'",
            "",
            "sales",
        ),
        (
            "SELECT table_name FROM information_schema.tables WHERE table_name = 'sales'",
            "",
            "sales",
        ),
        (
            "SELECT conname, conkey FROM pg_constraint ORDER BY 1",
            "stores_pkey,{1};stores_v1_pkey,{1}",
            "stores_pkey,{1};stores_v1_pkey,{1}",
        ),
        ("SELECT to_regclass('shop.sales') IS NULL", "t", "f"),
        (
            "SELECT nspname FROM pg_namespace WHERE oid > 16000",
            "shop",
            "shop",
        ),
    ] {
        assert_eq!(few.rows(sql).await, of_few, "{sql}");
        assert_eq!(all.rows(sql).await, of_all, "{sql}");
    }
    let oid = "SELECT oid FROM pg_class WHERE relname = 'stores'";
    assert_eq!(
        few.rows(oid).await,
        all.rows(oid).await,
        "the number tells of no other table"
    );
    assert_eq!(few.fails("SELECT * FROM shop.sales").await.0, "42P01");
}
