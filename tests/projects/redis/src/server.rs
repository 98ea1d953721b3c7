//! As much of a redis server as the guest book needs: strings, counters, transactions, and a way to break.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

type Values = HashMap<String, String>;

/// Serves whoever connects.
pub async fn serve(listener: TcpListener) -> io::Result<()> {
    let values = Arc::<Mutex<Values>>::default();
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(talk(BufReader::new(stream), Arc::clone(&values)));
    }
}

async fn talk(mut stream: BufReader<TcpStream>, values: Arc<Mutex<Values>>) -> io::Result<()> {
    let mut queued: Option<Vec<Vec<String>>> = None;
    while let Some(words) = command(&mut stream).await? {
        let answer = match (words[0].to_uppercase().as_str(), &mut queued) {
            ("QUIT", _) => return Ok(()),
            ("MULTI", _) => {
                queued = Some(Vec::new());
                "+OK\r\n".to_owned()
            }
            ("EXEC", Some(commands)) => {
                let answers: Vec<_> = {
                    let mut values = values.lock().expect("nobody panics with it");
                    commands.iter().map(|words| carry_out(words, &mut values)).collect()
                };
                queued = None;
                format!("*{}\r\n{}", answers.len(), answers.concat())
            }
            (_, Some(commands)) => {
                commands.push(words);
                "+QUEUED\r\n".to_owned()
            }
            (_, None) => carry_out(&words, &mut values.lock().expect("nobody panics with it")),
        };
        stream.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}

/// The next command: an array of strings, each with its length before it.
async fn command(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Vec<String>>> {
    let Some(count) = number(stream, b'*').await? else { return Ok(None) };
    let mut words = Vec::with_capacity(count);
    for _ in 0..count {
        let len = number(stream, b'$').await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let mut bytes = vec![0; len + 2];
        stream.read_exact(&mut bytes).await?;
        words.push(String::from_utf8_lossy(&bytes[..len]).into_owned());
    }
    Ok((!words.is_empty()).then_some(words))
}

async fn number(stream: &mut BufReader<TcpStream>, mark: u8) -> io::Result<Option<usize>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let digits = line.trim_end().strip_prefix(char::from(mark)).and_then(|digits| digits.parse().ok());
    digits.map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn carry_out(words: &[String], values: &mut Values) -> String {
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let text = |value: Option<&String>| match value {
        Some(value) => format!("${}\r\n{value}\r\n", value.len()),
        None => "$-1\r\n".to_owned(),
    };
    match (words[0].to_uppercase().as_str(), &words[1..]) {
        ("PING", []) => "+PONG\r\n".to_owned(),
        ("CLIENT" | "SELECT", _) => "+OK\r\n".to_owned(),
        ("GET", [key]) => text(values.get(*key)),
        ("SET", [key, value]) => {
            values.insert((*key).to_owned(), (*value).to_owned());
            "+OK\r\n".to_owned()
        }
        ("DEL", keys) => format!(":{}\r\n", keys.iter().filter(|key| values.remove(**key).is_some()).count()),
        ("INCRBY", [key, step]) => {
            let value = values.entry((*key).to_owned()).or_insert_with(|| "0".to_owned());
            match (value.parse::<i64>(), step.parse::<i64>()) {
                (Ok(number), Ok(step)) => {
                    *value = (number + step).to_string();
                    format!(":{value}\r\n")
                }
                _ => "-ERR value is not an integer or out of range\r\n".to_owned(),
            }
        }
        _ => format!("-ERR unknown command '{}'\r\n", words[0]),
    }
}
