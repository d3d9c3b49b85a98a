//! The client's transition table (spec/spice.md 6.3).

crate::transition_table! {
    /// The transitions of [`Client`](super::Client).
    pub machine SpiceClient;
    /// Where a [`Client`](super::Client) stands.
    pub enum State {
        /// Nothing was asked for yet.
        Offline,
        /// The main channel of a new session is being linked.
        Opening,
        /// One server, no migration.
        Online,
        /// Semi-seamless: the target's main channel is being linked.
        Connecting,
        /// Seamless: the target's main channel is being linked.
        ConnectingSeamless,
        /// Seamless: the target was asked whether it can.
        Handshake,
        /// Semi-seamless: the other channels are being linked to the target.
        Joining,
        /// Seamless: the other channels are being linked to the target.
        JoiningSeamless,
        /// Semi-seamless: linked to both servers, using the source.
        Ready,
        /// Seamless: linked to both servers, using the source.
        ReadySeamless,
        /// Semi-seamless: the source is closed, the target has been told; its INIT is awaited.
        AwaitingInit,
        /// Seamless: channels move one by one.
        Moving,
        /// Everything is closed, the main channel of a new session is being linked to the new server.
        Switching,
        /// The session is over.
        Disconnected,
    }
    /// What can happen to a [`Client`](super::Client).
    pub enum Event {
        /// The application wants a session.
        Connect,
        /// The main channel of a new session is linked.
        MainLinked,
        /// MIGRATE_BEGIN came (or comes again, and supersedes).
        Begin,
        /// MIGRATE_BEGIN_SEAMLESS came (or comes again, and supersedes).
        BeginSeamless,
        /// The target's main channel is linked; it cannot do seamless, or was not asked to.
        TargetLinked,
        /// The target's main channel is linked; it says that it can do seamless.
        SeamlessTargetLinked,
        /// The target will take the session seamlessly.
        SeamlessAck,
        /// It will not.
        SeamlessNack,
        /// Every channel is linked to the target.
        AllLinked,
        /// A link to the target failed, the deadline passed, or the application gave the attempt up.
        ConnectFailed,
        /// MIGRATE_CANCEL came.
        Cancel,
        /// MIGRATE_END came.
        End,
        /// The target's INIT came.
        Init,
        /// A channel's MIGRATE came.
        Migrate,
        /// Every channel is on the target.
        AllMoved,
        /// MIGRATE_SWITCH_HOST came.
        SwitchHost,
        /// The target was lost and only a new session there can help.
        TargetLost,
        /// The session cannot go on.
        Lost,
    }
    rows {
        Offline + Connect => Opening, "5.5";
        Opening + MainLinked => Online, "5.5";
        Online + Begin => Connecting, "5.3";
        Online + BeginSeamless => ConnectingSeamless, "5.4";
        Connecting + TargetLinked => Joining, "5.3";
        ConnectingSeamless + TargetLinked => Joining, "5.4";
        ConnectingSeamless + SeamlessTargetLinked => Handshake, "5.4";
        Handshake + SeamlessAck => JoiningSeamless, "5.4";
        Handshake + SeamlessNack => Joining, "5.4";
        Joining + AllLinked => Ready, "5.3";
        JoiningSeamless + AllLinked => ReadySeamless, "5.4";
        Connecting + ConnectFailed => Online, "6.3";
        ConnectingSeamless + ConnectFailed => Online, "6.3";
        Handshake + ConnectFailed => Online, "6.3";
        Joining + ConnectFailed => Online, "6.3";
        JoiningSeamless + ConnectFailed => Online, "6.3";
        Connecting + Cancel => Online, "7.4";
        ConnectingSeamless + Cancel => Online, "7.4";
        Handshake + Cancel => Online, "7.4";
        Joining + Cancel => Online, "7.4";
        JoiningSeamless + Cancel => Online, "7.4";
        Ready + Cancel => Online, "5.3";
        ReadySeamless + Cancel => Online, "5.4";
        Connecting + Begin => Connecting, "7.2";
        ConnectingSeamless + Begin => Connecting, "7.2";
        Handshake + Begin => Connecting, "7.2";
        Joining + Begin => Connecting, "7.2";
        JoiningSeamless + Begin => Connecting, "7.2";
        Ready + Begin => Connecting, "7.2";
        ReadySeamless + Begin => Connecting, "7.2";
        Connecting + BeginSeamless => ConnectingSeamless, "7.2";
        ConnectingSeamless + BeginSeamless => ConnectingSeamless, "7.2";
        Handshake + BeginSeamless => ConnectingSeamless, "7.2";
        Joining + BeginSeamless => ConnectingSeamless, "7.2";
        JoiningSeamless + BeginSeamless => ConnectingSeamless, "7.2";
        Ready + BeginSeamless => ConnectingSeamless, "7.2";
        ReadySeamless + BeginSeamless => ConnectingSeamless, "7.2";
        Ready + End => AwaitingInit, "5.3";
        AwaitingInit + Init => Online, "5.3";
        ReadySeamless + Migrate => Moving, "5.4";
        Moving + Migrate => Moving, "5.4";
        Moving + AllMoved => Online, "5.4";
        Moving + TargetLost => Switching, "6.3";
        Connecting + End => Switching, "7.2";
        ConnectingSeamless + End => Switching, "7.2";
        Handshake + End => Switching, "7.2";
        Joining + End => Switching, "7.2";
        JoiningSeamless + End => Switching, "7.2";
        ReadySeamless + End => Switching, "7.5";
        Ready + TargetLost => Switching, "6.3";
        AwaitingInit + TargetLost => Switching, "6.3";
        Online + SwitchHost => Switching, "5.2";
        Connecting + SwitchHost => Switching, "5.2";
        ConnectingSeamless + SwitchHost => Switching, "5.2";
        Handshake + SwitchHost => Switching, "5.2";
        Joining + SwitchHost => Switching, "5.2";
        JoiningSeamless + SwitchHost => Switching, "5.2";
        Ready + SwitchHost => Switching, "5.2";
        ReadySeamless + SwitchHost => Switching, "5.2";
        AwaitingInit + SwitchHost => Switching, "5.2";
        Moving + SwitchHost => Switching, "5.2";
        Switching + MainLinked => Online, "5.2";
        Offline + Lost => Disconnected, "6.3";
        Opening + Lost => Disconnected, "6.3";
        Online + Lost => Disconnected, "6.3";
        Connecting + Lost => Disconnected, "6.3";
        ConnectingSeamless + Lost => Disconnected, "6.3";
        Handshake + Lost => Disconnected, "6.3";
        Joining + Lost => Disconnected, "6.3";
        JoiningSeamless + Lost => Disconnected, "6.3";
        Ready + Lost => Disconnected, "6.3";
        ReadySeamless + Lost => Disconnected, "6.3";
        AwaitingInit + Lost => Disconnected, "6.3";
        Moving + Lost => Disconnected, "6.3";
        Switching + Lost => Disconnected, "6.3";
    }
}
