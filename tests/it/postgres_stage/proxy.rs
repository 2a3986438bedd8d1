//! A proxy before a server that can lose the connection at a chosen moment. It reads the frontend's messages (PostgreSQL 15, section 55.2) to know the
//! moment; connections must not be encrypted.

use std::{
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// Where the connection breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Before the server gets the COMMIT: it rolls back.
    CommitLost,
    /// When the server has answered the COMMIT and before the client sees it: the commit is durable.
    AnswerLost,
}

/// A moment of an append: its turns are the messages that the server answers, counted from the one that takes the ledger's lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The server has not got this turn's message yet.
    Before(usize),
    /// It has answered the COMMIT, and the client has not got that yet.
    Committed,
}

/// An append that stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Halted {
    /// The port by which the server knows the connection.
    pub(crate) client_port: u16,
    /// Whether the message that waits is the COMMIT.
    pub(crate) at_commit: bool,
}

/// Where the next append stands still, and what becomes of it.
#[derive(Debug, Default)]
enum Halt {
    #[default]
    Nowhere,
    Armed(Moment),
    At(Halted),
    /// Goes on, or is cut off.
    Over {
        cut: bool,
    },
}

/// A running proxy. Dropped, it ends, and with it the connections through it.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    server: AtomicU16,
    /// What happens to the next COMMIT.
    armed: Mutex<Option<Cut>>,
    halt: Mutex<Halt>,
    fired: AtomicUsize,
    open: AtomicBool,
    ended: AtomicBool,
    /// Connections that were made so far, and how many of them lead nowhere any more.
    made: AtomicUsize,
    silent: AtomicUsize,
    /// What clients said on those.
    unheard: Mutex<Vec<u8>>,
    connections: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// A proxy before the server at a port of the loopback interface.
    pub(crate) fn before(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            server: AtomicU16::new(server),
            armed: Mutex::default(),
            halt: Mutex::default(),
            fired: AtomicUsize::new(0),
            open: AtomicBool::new(true),
            ended: AtomicBool::new(false),
            made: AtomicUsize::new(0),
            silent: AtomicUsize::new(0),
            unheard: Mutex::default(),
            connections: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.ended.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(client) = client {
                    // What goes wrong with one connection is between its two ends.
                    let _broken = accepting.connect(client);
                }
            }
        });
        Self { port, shared }
    }

    /// Breaks the connection of the next COMMIT, once.
    pub(crate) fn arm(&self, cut: Cut) {
        *self.shared.armed.lock().unwrap() = Some(cut);
    }

    /// Lets the next append stand still at a moment, once.
    pub(crate) fn halt(&self, moment: Moment) {
        *self.shared.halt.lock().unwrap() = Halt::Armed(moment);
    }

    /// The append that stands still now.
    pub(crate) fn halted(&self) -> Option<Halted> {
        match *self.shared.halt.lock().unwrap() {
            Halt::At(halted) => Some(halted),
            _ => None,
        }
    }

    /// What stands still goes on, or its connection is cut; a moment that did not come will not.
    pub(crate) fn go_on(&self, cut: bool) {
        *self.shared.halt.lock().unwrap() = Halt::Over { cut };
    }

    /// How many connections were broken at a COMMIT.
    pub(crate) fn fired(&self) -> usize {
        self.shared.fired.load(Ordering::SeqCst)
    }

    /// Breaks every connection and, closed, takes no new one: the network is away.
    pub(crate) fn close(&self) {
        self.shared.open.store(false, Ordering::SeqCst);
        self.shared.break_all();
    }

    /// Takes connections again.
    pub(crate) fn open(&self) {
        self.shared.open.store(true, Ordering::SeqCst);
    }

    /// The connections that there are stay open and lead nowhere any more: what a network does that drops everything.
    pub(crate) fn silence(&self) {
        self.shared.silent.store(self.shared.made.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// What clients said on connections that lead nowhere.
    pub(crate) fn unheard(&self) -> String {
        String::from_utf8_lossy(&self.shared.unheard.lock().unwrap()).into_owned()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.shared.break_all();
        // Wakes the listener. It may have ended by itself.
        let _woken = TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], self.port)), Duration::from_secs(1));
    }
}

impl Shared {
    fn connect(self: &Arc<Self>, client: TcpStream) -> io::Result<()> {
        if !self.open.load(Ordering::SeqCst) {
            return client.shutdown(Shutdown::Both);
        }
        let server = TcpStream::connect(("127.0.0.1", self.server.load(Ordering::SeqCst)))?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        self.connections.lock().unwrap().extend([client.try_clone()?, server.try_clone()?]);
        let number = self.made.fetch_add(1, Ordering::SeqCst);
        let swallowing = Arc::new(AtomicBool::new(false));
        let committing = Arc::new(AtomicBool::new(false));
        let (from_client, to_server, swallow) = (client.try_clone()?, server.try_clone()?, Arc::clone(&swallowing));
        let commit = Arc::clone(&committing);
        let shared = Arc::clone(self);
        thread::spawn(move || {
            let _broken = shared.requests(number, &from_client, &to_server, [&swallow, &commit]);
            shut([&from_client, &to_server]);
        });
        let shared = Arc::clone(self);
        thread::spawn(move || {
            let _broken = shared.answers(&server, &client, &swallowing, &committing);
            shut([&server, &client]);
        });
        Ok(())
    }

    /// From the client to the server, message by message.
    fn requests(
        &self,
        number: usize,
        mut client: &TcpStream,
        mut server: &TcpStream,
        [swallow, committing]: [&AtomicBool; 2],
    ) -> io::Result<()> {
        let mut frames = Frames::default();
        let mut turns = Turns::default();
        let mut piece = [0; 16 * 1024];
        loop {
            let count = client.read(&mut piece)?;
            if count == 0 {
                return Ok(());
            }
            if number < self.silent.load(Ordering::SeqCst) {
                self.unheard.lock().unwrap().extend_from_slice(&piece[..count]);
                continue;
            }
            for frame in frames.feed(&piece[..count]) {
                if let Some(turn) = turns.take(&frame) {
                    let at_commit = frame.commits();
                    committing.store(at_commit, Ordering::SeqCst);
                    self.stand_still(Moment::Before(turn), Halted { client_port: server.local_addr()?.port(), at_commit })?;
                }
                if frame.commits() {
                    match self.armed.lock().unwrap().take() {
                        Some(Cut::CommitLost) => {
                            self.fired.fetch_add(1, Ordering::SeqCst);
                            return Ok(());
                        }
                        Some(Cut::AnswerLost) => swallow.store(true, Ordering::SeqCst),
                        None => {}
                    }
                }
                server.write_all(&frame.0)?;
            }
        }
    }

    /// From the server to the client. The first answer behind a COMMIT may be swallowed.
    fn answers(&self, mut server: &TcpStream, mut client: &TcpStream, swallow: &AtomicBool, committing: &AtomicBool) -> io::Result<()> {
        let mut piece = [0; 16 * 1024];
        loop {
            let count = server.read(&mut piece)?;
            // The client waits for this answer alone: nothing else of the server's is on its way.
            if count == 0 {
                return Ok(());
            }
            if swallow.load(Ordering::SeqCst) {
                self.fired.fetch_add(1, Ordering::SeqCst);
                return Ok(());
            }
            if committing.swap(false, Ordering::SeqCst) {
                self.stand_still(Moment::Committed, Halted { client_port: server.local_addr()?.port(), at_commit: true })?;
            }
            client.write_all(&piece[..count])?;
        }
    }

    /// Waits where an append is to stand still.
    fn stand_still(&self, moment: Moment, halted: Halted) -> io::Result<()> {
        {
            let mut halt = self.halt.lock().unwrap();
            if !matches!(*halt, Halt::Armed(at) if at == moment) {
                return Ok(());
            }
            *halt = Halt::At(halted);
        }
        loop {
            match *self.halt.lock().unwrap() {
                Halt::Over { cut: true } => return Err(io::ErrorKind::ConnectionAborted.into()),
                Halt::At(at) if at == halted && !self.ended.load(Ordering::SeqCst) => {}
                _ => return Ok(()),
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn break_all(&self) {
        for stream in self.connections.lock().unwrap().drain(..) {
            shut([&stream]);
        }
    }
}

fn shut<'a>(streams: impl IntoIterator<Item = &'a TcpStream>) {
    for stream in streams {
        // The other end may have closed it before.
        let _closed = stream.shutdown(Shutdown::Both);
    }
}

/// Cuts what a client sends into its messages.
#[derive(Debug, Default)]
struct Frames {
    left: Vec<u8>,
    started: bool,
}

/// One message with its head.
#[derive(Debug, PartialEq, Eq)]
struct Frame(Vec<u8>);

impl Frames {
    fn feed(&mut self, bytes: &[u8]) -> Vec<Frame> {
        self.left.extend_from_slice(bytes);
        let mut frames = Vec::new();
        loop {
            // Before the start-up is through, messages have no type byte. The length counts itself and not the type byte.
            let head = usize::from(self.started);
            let Some(length) = self.left.get(head..head + 4) else { return frames };
            let whole = head + usize::try_from(u32::from_be_bytes(length.try_into().unwrap())).unwrap();
            if self.left.len() < whole {
                return frames;
            }
            let rest = self.left.split_off(whole);
            let frame = Frame(std::mem::replace(&mut self.left, rest));
            self.started |= frame.0[4..].starts_with(&PROTOCOL_3);
            frames.push(frame);
        }
    }
}

impl Frame {
    /// A query or statement that commits.
    fn commits(&self) -> bool {
        let text = String::from_utf8_lossy(self.0.get(5..).unwrap_or_default());
        let mut statements = text.split([';', '\0']).map(str::trim_start);
        matches!(self.0.first(), Some(b'Q' | b'P')) && statements.any(|s| s.get(..6).is_some_and(|s| s.eq_ignore_ascii_case("COMMIT")))
    }

    /// Takes the ledger's lock.
    fn locks(&self) -> bool {
        self.0.first() == Some(&b'Q') && String::from_utf8_lossy(&self.0).contains("FROM ledger_head WHERE one = 1 FOR UPDATE")
    }

    fn ends(&self) -> bool {
        self.commits() || self.0.first() == Some(&b'Q') && String::from_utf8_lossy(&self.0).contains("ROLLBACK")
    }
}

/// Counts the turns of an append on one connection.
#[derive(Debug, Default)]
struct Turns {
    turn: usize,
    /// The last message asked for an answer.
    answered: bool,
}

impl Turns {
    /// The number of the turn that a message begins; none where it begins none, or no append is open.
    fn take(&mut self, frame: &Frame) -> Option<usize> {
        let begins = self.answered || frame.locks();
        self.answered = matches!(frame.0.first(), Some(b'Q' | b'S'));
        if frame.locks() {
            self.turn = 1;
        } else if self.turn > 0 && begins {
            self.turn += 1;
        }
        let turn = (begins && self.turn > 0).then_some(self.turn);
        if frame.ends() {
            self.turn = 0;
        }
        turn
    }
}

/// Protocol version 3.0 of a start-up message; what comes before it (a question for encryption) has another number there.
const PROTOCOL_3: [u8; 4] = [0, 3, 0, 0];

mod tests {
    use super::*;

    #[test]
    fn the_turns_of_an_append_are_counted_from_its_lock_to_its_end() {
        let query = |text| Frame(message(b'Q', text));
        let part = |kind| Frame(message(kind, ""));
        let mut turns = Turns::default();
        let lock = "BEGIN; SELECT size FROM ledger_head WHERE one = 1 FOR UPDATE";
        let sent = [
            (query("SELECT 1"), None),
            (query(lock), Some(1)),
            (part(b'P'), Some(2)),
            (part(b'S'), None),
            (part(b'B'), Some(3)),
            (part(b'E'), None),
            (part(b'S'), None),
            (query("COMMIT"), Some(4)),
            (query("SELECT 1"), None),
            (query(lock), Some(1)),
            (query("ROLLBACK"), Some(2)),
            (query("SELECT 1"), None),
        ];
        for (frame, turn) in sent {
            assert_eq!(turns.take(&frame), turn, "{frame:?}");
        }
    }

    fn message(kind: u8, text: &str) -> Vec<u8> {
        let length = u32::try_from(text.len() + 5).unwrap().to_be_bytes();
        [&[kind], &length[..], text.as_bytes(), &[0]].concat()
    }

    #[test]
    fn messages_are_found_in_any_pieces_and_commits_among_them() {
        let asks = [0, 0, 0, 8, 4, 210, 22, 47].to_vec();
        let starts = [&[0, 0, 0, 9][..], &PROTOCOL_3, &[0]].concat();
        let wanted = [asks, starts, message(b'Q', "SELECT 1 AS commit"), message(b'Q', "SELECT 1; commit"), message(b'X', "")];
        let bytes = wanted.concat();
        for size in 1..bytes.len() {
            let mut frames = Frames::default();
            let found: Vec<Frame> = bytes.chunks(size).flat_map(|piece| frames.feed(piece)).collect();
            assert_eq!(found.iter().map(|frame| &frame.0).collect::<Vec<_>>(), wanted.iter().collect::<Vec<_>>());
            assert_eq!(found.iter().map(Frame::commits).collect::<Vec<_>>(), [false, false, false, true, false]);
        }
    }
}
