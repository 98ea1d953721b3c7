//! A mailbox server with a thread for each client, on std alone.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// Letters by the name of whom they are for.
#[derive(Default)]
pub struct Boxes {
    letters: Mutex<HashMap<String, Vec<String>>>,
    arrived: Condvar,
}

impl Boxes {
    fn put(&self, name: &str, letter: &str) {
        self.letters.lock().unwrap().entry(name.to_owned()).or_default().push(letter.to_owned());
        self.arrived.notify_all();
    }

    /// Waits until there is a letter for `name`, but not for ever.
    fn take(&self, name: &str, patience: Duration) -> Option<String> {
        let letters = self.letters.lock().unwrap();
        let empty = |letters: &mut HashMap<String, Vec<String>>| letters.get(name).is_none_or(Vec::is_empty);
        let (mut letters, _) = self.arrived.wait_timeout_while(letters, patience, empty).unwrap();
        let own = letters.get_mut(name)?;
        (!own.is_empty()).then(|| own.remove(0))
    }
}

/// Serves `clients` clients and says each address on `seen`. Answers after the last of them has left.
pub fn serve(listener: TcpListener, clients: usize, seen: Sender<SocketAddr>) -> io::Result<()> {
    let boxes = Arc::new(Boxes::default());
    let threads: Vec<_> = listener
        .incoming()
        .take(clients)
        .map(|stream| {
            let (stream, boxes) = (stream?, Arc::clone(&boxes));
            seen.send(stream.peer_addr()?).map_err(io::Error::other)?;
            Ok(thread::spawn(move || talk(stream, &boxes)))
        })
        .collect::<io::Result<_>>()?;
    threads.into_iter().try_for_each(|thread| thread.join().expect("a clerk does not panic"))
}

fn talk(mut stream: TcpStream, boxes: &Boxes) -> io::Result<()> {
    let reader = BufReader::new(stream.try_clone()?);
    for line in reader.lines() {
        let line = line?;
        let mut words = line.splitn(3, ' ');
        let answer = match (words.next(), words.next(), words.next()) {
            (Some("PUT"), Some(name), Some(letter)) => {
                boxes.put(name, letter);
                "kept".to_owned()
            }
            (Some("TAKE"), Some(name), None) => match boxes.take(name, Duration::from_secs(2)) {
                Some(letter) => format!("letter {letter}"),
                None => "nothing".to_owned(),
            },
            _ => "what?".to_owned(),
        };
        writeln!(stream, "{answer}")?;
    }
    Ok(())
}

/// Asks one thing.
pub fn ask(stream: &TcpStream, question: &str) -> io::Result<String> {
    let mut both = stream;
    writeln!(both, "{question}")?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(answer.trim_end().to_owned())
}

/// Asks over UDP again and again until there is an answer. Answers how often it asked, and what came.
pub fn insist(to: SocketAddr, question: &[u8]) -> io::Result<(u32, Vec<u8>)> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(to)?;
    socket.set_read_timeout(Some(Duration::from_millis(50)))?;
    for times in 1.. {
        socket.send(question)?;
        let mut answer = [0; 64];
        match socket.recv(&mut answer) {
            Ok(len) => return Ok((times, answer[..len].to_vec())),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    unreachable!("there is always another number")
}
