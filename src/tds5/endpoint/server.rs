//! One connection of a server.

mod types;

pub use types::{ServerCommand, ServerConfig, ServerEvent, ServerOutput};

use super::EndpointError;
use crate::error::{DecodeError, EncodeError, Error, Misuse};
use crate::machine::{LinkId, Machine};
use crate::tds5::connection::{Item, ServerConnection};
use crate::tds5::secret::SessionId;
use crate::tds5::server::{self, Caller, MigrationState, Refusal, Server};
use crate::tds5::target::{self, Target};
use crate::tds5::token::{Format, Token};
use crate::time::Instant;
use crate::wire::{ByteOrder, Encode};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use bytes::BytesMut;

/// Which of the two machines has the connection.
#[derive(Clone, Debug)]
enum Role {
    /// Until the application asks for a migration.
    Target(Box<Target>),
    /// From then on.
    Server(Box<Server>),
}

/// An input that both machines understand.
enum Either {
    Item(Item),
    Respond(Token),
    Closed,
    Disconnect,
    Timeout,
}

macro_rules! into_input {
    ($($machine:ident),+) => {$(
        impl From<Either> for $machine::Input {
            fn from(input: Either) -> Self {
                match input {
                    Either::Item(item) => Self::Item(item),
                    Either::Respond(token) => Self::Respond(token),
                    Either::Closed => Self::Closed,
                    Either::Disconnect => Self::Disconnect,
                    Either::Timeout => Self::Timeout,
                }
            }
        }
    )+};
}

into_input!(target, server);

/// One connection of a server: a [`Target`], which becomes a [`Server`] when the client is first asked to migrate, with
/// a [`ServerConnection`].
///
/// ```
/// use handover::tds5::connection::ClientConnection;
/// use handover::tds5::endpoint::{ServerCommand, ServerConfig, ServerEndpoint, ServerEvent, ServerOutput};
/// use handover::tds5::login::{Login, LoginRecord};
/// use handover::time::Instant;
/// use handover::wire::ByteOrder;
///
/// let now = Instant::ZERO;
/// let mut server = ServerEndpoint::new(ServerConfig::default(), now);
/// let mut client = ClientConnection::new(Default::default(), Default::default());
/// let mut up = bytes::BytesMut::new();
/// client.login(&Login::new(LoginRecord::new(ByteOrder::Little), true), &mut up)?;
/// server.received(now, &up)?;
/// let Some(ServerOutput::Event(ServerEvent::Connect { migrated: false, .. })) = server.poll_output() else { panic!() };
/// server.command(now, ServerCommand::Accept { tokens: Vec::new() })?;
/// assert!(matches!(server.poll_output(), Some(ServerOutput::Transmit(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ServerEndpoint {
    config: ServerConfig,
    connection: ServerConnection,
    role: Role,
    /// Whether the transport is there.
    open: bool,
    outputs: VecDeque<ServerOutput>,
}

/// The only link that a server's endpoint has, in its errors.
const LINK: LinkId = LinkId(0);

impl ServerEndpoint {
    /// A connection that was accepted at `now`.
    #[must_use]
    pub fn new(config: ServerConfig, now: Instant) -> Self {
        let target = Target::new(config.target.clone(), now);
        let connection = ServerConnection::new(config.target.limits, config.options);
        Self { config, connection, role: Role::Target(Box::new(target)), open: true, outputs: VecDeque::new() }
    }

    /// The next effect.
    pub fn poll_output(&mut self) -> Option<ServerOutput> {
        self.outputs.pop_front()
    }

    /// When to call [`timeout`](Self::timeout).
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.role {
            Role::Target(target) => target.poll_timeout(),
            Role::Server(server) => server.poll_timeout(),
        }
    }

    /// The state of the machine that has the connection, by name.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match &self.role {
            Role::Target(target) => target.state().name(),
            Role::Server(server) => server.state().name(),
        }
    }

    /// Where the migration of the client stands.
    #[must_use]
    #[doc(alias = "SRV_T_MIGRATE_STATE")]
    pub fn migration_state(&self) -> MigrationState {
        match &self.role {
            Role::Target(_) => MigrationState::None,
            Role::Server(server) => server.migration_state(),
        }
    }

    /// Whether the client has come from another server.
    #[must_use]
    #[doc(alias = "SRV_T_MIGRATED")]
    pub fn migrated(&self) -> bool {
        match &self.role {
            Role::Target(target) => target.migrated(),
            Role::Server(server) => server.migrated(),
        }
    }

    /// The session's id.
    ///
    /// # Errors
    /// There is none.
    #[doc(alias = "SRV_T_SESSIONID")]
    pub fn session_id(&self) -> Result<SessionId, Refusal> {
        match &self.role {
            Role::Target(target) => target.session_id(),
            Role::Server(server) => server.session_id(),
        }
    }

    /// Whether [`ServerCommand::Migrate`] would be accepted.
    ///
    /// # Errors
    /// Why not.
    pub fn may_migrate(&self, by: Caller) -> Result<(), Refusal> {
        match &self.role {
            Role::Target(target) => target.may_migrate(),
            Role::Server(server) => server.may_migrate(by),
        }
    }

    /// How many commands wait for their final DONE.
    #[must_use]
    pub fn pending(&self) -> u32 {
        match &self.role {
            Role::Target(target) => target.pending(),
            Role::Server(server) => server.pending(),
        }
    }

    /// The byte order of the payload: that of formats and values.
    #[must_use]
    pub fn order(&self) -> ByteOrder {
        self.connection.order()
    }

    /// The format of the values in the last [`Token::Params`].
    #[must_use]
    pub fn params_format(&self) -> Option<&Format> {
        self.connection.params_format()
    }

    /// A wish of the application.
    ///
    /// # Errors
    /// It makes no sense now, the protocol's rules refuse it, or it cannot be put on the wire; nothing has changed.
    pub fn command(&mut self, now: Instant, command: ServerCommand) -> Result<(), EndpointError> {
        match command {
            ServerCommand::SetSessionId(id) => self.as_target(now, target::Input::SetSessionId(id)),
            ServerCommand::Accept { tokens } => {
                tokens.iter().try_for_each(|token| self.check(token))?;
                self.as_target(now, target::Input::Accept { tokens })
            }
            ServerCommand::Refuse { notice } => {
                if let Some(notice) = &notice {
                    self.check(&Token::from(notice.as_ref().clone()))?;
                }
                self.as_target(now, target::Input::Refuse { notice })
            }
            ServerCommand::Migrate { addresses, by } => {
                self.as_server(now, server::Input::Migrate { addresses, by }, "Migrate")
            }
            ServerCommand::Cancel { by } => self.as_server(now, server::Input::Cancel { by }, "Cancel"),
            ServerCommand::Enter(attempt) => self.as_server(now, server::Input::Enter(attempt), "Enter"),
            ServerCommand::Leave => self.as_server(now, server::Input::Leave, "Leave"),
            ServerCommand::Respond(token) => {
                self.check(&token)?;
                self.either(now, Either::Respond(token))
            }
            ServerCommand::Disconnect => self.either(now, Either::Disconnect),
        }
    }

    /// Bytes have come. Once the connection is over they are ignored.
    ///
    /// # Errors
    /// The client sent something that it may not. The connection is over.
    pub fn received(&mut self, now: Instant, data: &[u8]) -> Result<(), EndpointError> {
        self.connection.receive(data);
        while self.open {
            let item = match self.connection.next_item() {
                Ok(Some(item)) => item,
                Ok(None) => break,
                Err(error) => return self.malformed(now, error),
            };
            self.either(now, Either::Item(item))?;
        }
        Ok(())
    }

    /// The connection has closed or broken.
    ///
    /// # Errors
    /// None today.
    pub fn closed(&mut self, now: Instant) -> Result<(), EndpointError> {
        if core::mem::take(&mut self.open) {
            self.either(now, Either::Closed)?;
        }
        Ok(())
    }

    /// The instant of [`poll_timeout`](Self::poll_timeout) has come.
    ///
    /// # Errors
    /// None today.
    pub fn timeout(&mut self, now: Instant) -> Result<(), EndpointError> {
        self.either(now, Either::Timeout)
    }

    #[cold]
    fn malformed(&mut self, now: Instant, error: DecodeError) -> Result<(), EndpointError> {
        self.open = false;
        self.outputs.push_back(ServerOutput::Close);
        self.either(now, Either::Closed)?;
        Err(EndpointError::Decode { link: LINK, error })
    }

    /// Whether a token can be put on the wire, before the machine counts on it.
    fn check(&self, token: &Token) -> Result<(), EndpointError> {
        let order = self.connection.order();
        token.in_order(order).check().map_err(|error| EndpointError::Encode { link: LINK, error })
    }

    fn as_target(&mut self, now: Instant, input: target::Input) -> Result<(), EndpointError> {
        let Role::Target(target) = &mut self.role else {
            let (state, input) = (self.state(), "a verdict on the login");
            return Err(Error::from(Misuse::WrongState { state, input }).into());
        };
        let result = target.handle(now, input);
        self.drain(result)
    }

    /// The first wish that only a server understands makes the target one.
    fn as_server(&mut self, now: Instant, input: server::Input, name: &'static str) -> Result<(), EndpointError> {
        if let Role::Target(target) = &mut self.role {
            let refused = target.may_migrate().err();
            if let Some(refusal) = refused {
                return Err(Error::from(Misuse::Refused { what: name, reason: refusal.reason() }).into());
            }
            match target.clone().into_server(self.config.server.clone()) {
                Ok(server) => self.role = Role::Server(Box::new(server)),
                Err(target) => {
                    let state = target.state().name();
                    return Err(Error::from(Misuse::WrongState { state, input: name }).into());
                }
            }
        }
        let Role::Server(server) = &mut self.role else { return Ok(()) };
        let result = server.handle(now, input);
        self.drain(result)
    }

    /// An input that both machines understand.
    fn either(&mut self, now: Instant, input: Either) -> Result<(), EndpointError> {
        let result = match &mut self.role {
            Role::Target(target) => target.handle(now, input.into()),
            Role::Server(server) => server.handle(now, input.into()),
        };
        self.drain(result)
    }

    /// Carries out what a machine wants.
    fn drain(&mut self, result: Result<(), Error>) -> Result<(), EndpointError> {
        let mut failed = Ok(());
        loop {
            let done = match &mut self.role {
                Role::Target(target) => match target.poll_output() {
                    None => break,
                    Some(target::Output::Send(token)) => self.transmit(|link, dst| link.token(&token, dst)),
                    Some(target::Output::SessionId(id)) => self.transmit(|link, dst| link.session_id(id, dst)),
                    Some(target::Output::EndMessage) => self.end_message(),
                    Some(target::Output::Close) => self.close(),
                    Some(target::Output::Event(event)) => self.report(event.into()),
                },
                Role::Server(server) => match server.poll_output() {
                    None => break,
                    Some(server::Output::Send(token)) => self.transmit(|link, dst| link.token(&token, dst)),
                    Some(server::Output::EndMessage) => self.end_message(),
                    Some(server::Output::Migration(message)) => {
                        self.transmit(|link, dst| link.migration(&message, dst))
                    }
                    Some(server::Output::Close) => self.close(),
                    Some(server::Output::Event(event)) => self.report(event.into()),
                },
            };
            failed = failed.and(done);
        }
        result.map_err(EndpointError::from).and(failed)
    }

    fn end_message(&mut self) -> Result<(), EndpointError> {
        self.transmit(|link, dst| {
            link.end(dst);
            Ok(())
        })
    }

    fn close(&mut self) -> Result<(), EndpointError> {
        self.open = false;
        self.outputs.push_back(ServerOutput::Close);
        Ok(())
    }

    fn report(&mut self, event: ServerEvent) -> Result<(), EndpointError> {
        self.outputs.push_back(ServerOutput::Event(event));
        Ok(())
    }

    /// Appends to the last output if that is to be written as well, so that a burst is one write.
    fn transmit(
        &mut self,
        encode: impl FnOnce(&mut ServerConnection, &mut BytesMut) -> Result<(), EncodeError>,
    ) -> Result<(), EndpointError> {
        let failed = |error| EndpointError::Encode { link: LINK, error };
        if let Some(ServerOutput::Transmit(bytes)) = self.outputs.back_mut() {
            return encode(&mut self.connection, bytes).map_err(failed);
        }
        let mut bytes = BytesMut::new();
        encode(&mut self.connection, &mut bytes).map_err(failed)?;
        if !bytes.is_empty() {
            self.outputs.push_back(ServerOutput::Transmit(bytes));
        }
        Ok(())
    }
}
