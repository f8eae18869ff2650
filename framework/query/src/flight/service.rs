//! The calls of Flight SQL.

use std::sync::{Arc, PoisonError};

use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::error::FlightError;
use arrow_flight::sql::server::{FlightSqlService, PeekableFlightDataStream};
use arrow_flight::sql::{
    ActionBeginTransactionRequest, ActionBeginTransactionResult, ActionCancelQueryRequest,
    ActionCancelQueryResult, ActionClosePreparedStatementRequest,
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any, Command,
    CommandGetCatalogs, CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys,
    CommandGetImportedKeys, CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTableTypes,
    CommandGetTables, CommandGetXdbcTypeInfo, CommandPreparedStatementQuery,
    CommandPreparedStatementUpdate, CommandStatementIngest, CommandStatementQuery,
    CommandStatementUpdate, DoPutPreparedStatementResult, ProstMessageExt, SqlInfo,
    TicketStatementQuery,
};
use arrow_flight::{
    Action, ActionType, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest,
    HandshakeResponse, IpcMessage, SchemaAsIpc, Ticket,
};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{Stream, TryStreamExt, stream};
use mesh_core::Result;
use prost::Message;
use tonic::metadata::MetadataValue;
use tonic::{Request, Response, Status, Streaming};

use super::actions;
use super::metadata;
use super::plan::{self, Rows, encoded, refused};
use super::sessions::{Call, Sessions};
use super::status::{OrStatus, unwritable};

type Streamed<T> = std::pin::Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The service, for all clients.
#[derive(Debug, Clone)]
pub(super) struct Service {
    pub(super) sessions: Arc<Sessions>,
}

impl Service {
    fn call<T>(&self, request: &Request<T>) -> Result<Call, Status> {
        self.sessions.call(request).or_status()
    }

    /// Plans a statement and tells where its rows can be had.
    async fn planned(
        &self,
        call: &Call,
        sql: &str,
        values: Vec<datafusion::common::ScalarValue>,
        descriptor: FlightDescriptor,
    ) -> Result<Response<FlightInfo>, Status> {
        let engine = self.sessions.engine();
        let (statement_handle, schema) = plan::plan(engine, call, sql, values).await.or_status()?;
        let ticket = TicketStatementQuery { statement_handle };
        info(&schema, ticket.as_any().encode_to_vec(), descriptor)
    }

    /// Where to get an answer about the catalog: here, with the same question.
    fn described<T>(
        &self,
        request: Request<FlightDescriptor>,
        question: T,
    ) -> Result<Response<FlightInfo>, Status>
    where
        T: ProstMessageExt,
        Command: TryFrom<Any>,
    {
        self.call(&request)?;
        let any = question.as_any();
        let ticket = any.encode_to_vec();
        let command = Command::try_from(any).map_err(unwritable).or_status()?;
        let schema = metadata::schema(&command)
            .ok_or_else(|| Status::unimplemented("there is no such question"))?;
        info(&schema, ticket, request.into_inner())
    }

    async fn answered<T: ProstMessageExt>(
        &self,
        request: Request<Ticket>,
        question: T,
    ) -> Result<Response<Rows>, Status> {
        let call = self.call(&request)?;
        let command = Command::try_from(question.as_any())
            .map_err(unwritable)
            .or_status()?;
        let batch = metadata::answer(self.sessions.engine(), &call, command)
            .await
            .or_status()?;
        let schema = batch.schema();
        Ok(Response::new(encoded(&schema, stream::iter([Ok(batch)]))))
    }

    /// The columns that `command` will give, without a ticket.
    pub(super) async fn schema_of(
        &self,
        request: &Request<FlightDescriptor>,
    ) -> Result<SchemaRef, Status> {
        let call = self.call(request)?;
        let engine = self.sessions.engine();
        let any = Any::decode(&*request.get_ref().cmd)
            .map_err(|_| Status::invalid_argument("the descriptor holds no command"))?;
        let command = Command::try_from(any)
            .map_err(|_| Status::invalid_argument("the descriptor holds no command"))?;
        let columns =
            |schema: Option<SchemaRef>| schema.unwrap_or_else(|| Arc::new(Schema::empty()));
        match command {
            Command::CommandStatementQuery(query) => {
                let columns_of = plan::columns(engine, &call, &query.query)
                    .await
                    .or_status()?;
                Ok(columns(columns_of))
            }
            Command::CommandPreparedStatementQuery(query) => {
                let handle = &query.prepared_statement_handle;
                let prepared = call.session.prepared.get(handle).or_status()?;
                Ok(columns(prepared.schema.clone()))
            }
            other => metadata::schema(&other)
                .ok_or_else(|| Status::unimplemented("there is no such question")),
        }
    }
}

fn info(
    schema: &Schema,
    ticket: Vec<u8>,
    descriptor: FlightDescriptor,
) -> Result<Response<FlightInfo>, Status> {
    let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(ticket));
    let info = FlightInfo::new()
        .try_with_schema(schema)
        .map_err(unwritable)
        .or_status()?
        .with_endpoint(endpoint)
        .with_descriptor(descriptor);
    Ok(Response::new(info))
}

fn bytes_of(schema: &Schema) -> Result<Bytes, Status> {
    let options = IpcWriteOptions::default();
    let IpcMessage(bytes) = SchemaAsIpc::new(schema, &options)
        .try_into()
        .map_err(unwritable::<arrow::error::ArrowError>)
        .or_status()?;
    Ok(bytes)
}

/// Each question about the catalog has a call that tells its columns and one that answers.
/// They are spelled as `async_trait` makes them, since that does not look into macros.
macro_rules! questions {
    ($($info:ident $get:ident $command:ident),* $(,)?) => {
        $(
            fn $info<'life0, 'async_trait>(
                &'life0 self,
                question: $command,
                request: Request<FlightDescriptor>,
            ) -> BoxFuture<'async_trait, Result<Response<FlightInfo>, Status>>
            where
                'life0: 'async_trait,
                Self: 'async_trait,
            {
                Box::pin(async move { self.described(request, question) })
            }

            fn $get<'life0, 'async_trait>(
                &'life0 self,
                question: $command,
                request: Request<Ticket>,
            ) -> BoxFuture<'async_trait, Result<Response<Rows>, Status>>
            where
                'life0: 'async_trait,
                Self: 'async_trait,
            {
                Box::pin(self.answered(request, question))
            }
        )*
    };
}

#[tonic::async_trait]
impl FlightSqlService for Service {
    type FlightService = Self;

    async fn do_handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Streamed<HandshakeResponse>>, Status> {
        let token = self.sessions.login(request.metadata()).await.or_status()?;
        let header = MetadataValue::try_from(format!("Bearer {token}"))
            .map_err(|_| Status::internal("a token that is no header"))?;
        let answer = HandshakeResponse {
            protocol_version: 0,
            payload: token.into(),
        };
        let answers: Streamed<_> = Box::pin(stream::iter([Ok(answer)]));
        let mut response = Response::new(answers);
        response.metadata_mut().insert("authorization", header);
        Ok(response)
    }

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let call = self.call(&request)?;
        no_transaction(query.transaction_id.as_ref())?;
        self.planned(&call, &query.query, Vec::new(), request.into_inner())
            .await
    }

    async fn get_flight_info_prepared_statement(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let call = self.call(&request)?;
        let handle = &query.prepared_statement_handle;
        let prepared = call.session.prepared.get(handle).or_status()?;
        let values = prepared
            .bound
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        self.planned(&call, &prepared.sql, values, request.into_inner())
            .await
    }

    async fn do_get_statement(
        &self,
        ticket: TicketStatementQuery,
        request: Request<Ticket>,
    ) -> Result<Response<Rows>, Status> {
        let call = self.call(&request)?;
        let engine = self.sessions.engine();
        let rows = plan::fetch(engine, &call, &ticket.statement_handle).await;
        Ok(Response::new(rows.or_status()?))
    }

    questions! {
        get_flight_info_catalogs do_get_catalogs CommandGetCatalogs,
        get_flight_info_schemas do_get_schemas CommandGetDbSchemas,
        get_flight_info_tables do_get_tables CommandGetTables,
        get_flight_info_table_types do_get_table_types CommandGetTableTypes,
        get_flight_info_sql_info do_get_sql_info CommandGetSqlInfo,
        get_flight_info_primary_keys do_get_primary_keys CommandGetPrimaryKeys,
        get_flight_info_exported_keys do_get_exported_keys CommandGetExportedKeys,
        get_flight_info_imported_keys do_get_imported_keys CommandGetImportedKeys,
        get_flight_info_cross_reference do_get_cross_reference CommandGetCrossReference,
        get_flight_info_xdbc_type_info do_get_xdbc_type_info CommandGetXdbcTypeInfo,
    }

    async fn do_put_statement_update(
        &self,
        update: CommandStatementUpdate,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        let call = self.call(&request)?;
        no_transaction(update.transaction_id.as_ref())?;
        plan::update(self.sessions.engine(), &call, &update.query)
            .await
            .or_status()
    }

    async fn do_put_prepared_statement_update(
        &self,
        update: CommandPreparedStatementUpdate,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        let call = self.call(&request)?;
        let handle = &update.prepared_statement_handle;
        let prepared = call.session.prepared.get(handle).or_status()?;
        plan::update(self.sessions.engine(), &call, &prepared.sql)
            .await
            .or_status()
    }

    async fn do_put_statement_ingest(
        &self,
        _: CommandStatementIngest,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        self.call(&request)?;
        Err(refused(
            "ingestion",
            "a product is published by the domain that owns it",
        ))
    }

    async fn do_put_prepared_statement_query(
        &self,
        query: CommandPreparedStatementQuery,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        let call = self.call(&request)?;
        let handle = query.prepared_statement_handle;
        let prepared = call.session.prepared.get(&handle).or_status()?;
        let data = request.into_inner().map_err(FlightError::from);
        plan::bind(&prepared, data).await.or_status()?;
        Ok(DoPutPreparedStatementResult {
            prepared_statement_handle: Some(handle),
        })
    }

    async fn do_action_create_prepared_statement(
        &self,
        query: ActionCreatePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        let call = self.call(&request)?;
        no_transaction(query.transaction_id.as_ref())?;
        let engine = self.sessions.engine();
        let prepared = plan::prepare(engine, &call, query.query).await;
        let (prepared_statement_handle, columns, parameters) = prepared.or_status()?;
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle,
            // Nothing at all says that it gives no rows.
            dataset_schema: match columns {
                Some(columns) => bytes_of(&columns)?,
                None => Bytes::new(),
            },
            parameter_schema: bytes_of(&parameters)?,
        })
    }

    async fn do_action_close_prepared_statement(
        &self,
        query: ActionClosePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<(), Status> {
        let call = self.call(&request)?;
        let prepared = &call.session.prepared;
        match prepared.take(&query.prepared_statement_handle) {
            Some(_) => Ok(()),
            None => Err(prepared.missing()).or_status(),
        }
    }

    async fn do_action_begin_transaction(
        &self,
        _: ActionBeginTransactionRequest,
        request: Request<Action>,
    ) -> Result<ActionBeginTransactionResult, Status> {
        self.call(&request)?;
        Err(Status::unimplemented(
            "there are no transactions; statements that only read need none",
        ))
    }

    async fn do_action_cancel_query(
        &self,
        query: ActionCancelQueryRequest,
        request: Request<Action>,
    ) -> Result<ActionCancelQueryResult, Status> {
        let call = self.call(&request)?;
        let info = FlightInfo::decode(query.info)
            .map_err(|_| Status::invalid_argument("the request holds no flight"))?;
        // The two kinds of cancelling count their outcomes alike.
        let result = actions::cancel(&call, &info) as i32;
        Ok(ActionCancelQueryResult { result })
    }

    async fn do_action_fallback(
        &self,
        request: Request<Action>,
    ) -> Result<Response<Streamed<arrow_flight::Result>>, Status> {
        let answer = actions::run(&self.sessions, &request).or_status()?;
        let answer = arrow_flight::Result::new(answer);
        Ok(Response::new(Box::pin(stream::iter([Ok(answer)]))))
    }

    async fn list_custom_actions(&self) -> Option<Vec<Result<ActionType, Status>>> {
        let actions = actions::NAMES.iter().map(|(name, description)| {
            Ok(ActionType {
                r#type: (*name).to_owned(),
                description: (*description).to_owned(),
            })
        });
        Some(actions.collect())
    }

    async fn register_sql_info(&self, _: i32, _: &SqlInfo) {}
}

/// No client can have a transaction, since none is given out.
fn no_transaction(id: Option<&Bytes>) -> Result<(), Status> {
    match id {
        None => Ok(()),
        Some(id) if id.is_empty() => Ok(()),
        Some(_) => Err(Status::failed_precondition(
            "there is no such transaction; statements that only read need none",
        )),
    }
}
