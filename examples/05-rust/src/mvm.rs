//! Durable workflows in Rust: the module `mvm` of a WASI program, without a dependency. Copy this file into your project.
//!
//! Whatever waits in the program is durable: `std::thread::sleep`, and the calls here. The bytes are those of
//! docs/internals/step-machine.md ("Encoding for `core`").

#[link(wasm_import_module = "mvm")]
extern "C" {
    #[link_name = "submit"]
    fn host_submit(intents: *const u8, length: u32) -> u32;
    #[link_name = "wait"]
    fn host_wait(call: u32) -> u32;
    #[link_name = "read"]
    fn host_read(place: *mut u8, length: u32) -> u32;
    #[link_name = "version"]
    fn host_version(change: *const u8, length: u32) -> u32;
}

/// A call that was made and not waited for yet: several may be in flight.
pub struct Call(u32);

/// The error that a call was answered with: a stable code, such as `CONNECTION_LOST`, and words for people.
#[derive(Debug)]
pub struct Failure {
    pub code: String,
    pub message: String,
}

/// An HTTP request; its fields may be changed before it is sent.
pub struct Request {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
    pub timeout_ms: u32,
    /// Whether it may be sent again after its answer was lost; `None`: by its method.
    pub idempotent: Option<bool>,
}

/// The answer to a request, also one with a status such as 404.
#[derive(Debug)]
pub struct Response {
    pub status: u32,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A message from outside or from another job; `data` is JSON text.
#[derive(Debug)]
pub struct Message {
    pub kind: String,
    pub data: String,
}

impl Request {
    pub fn get(url: &str) -> Request {
        Request {
            method: "GET".to_string(),
            url: url.to_string(),
            headers: Vec::new(),
            body: None,
            timeout_ms: 120_000,
            idempotent: None,
        }
    }

    /// Sends the request and goes on.
    pub fn start(&self) -> Call {
        let mut intent = Intent::new(0).number(1).text(&self.method).text(&self.url).number(self.headers.len());
        for (name, value) in &self.headers {
            intent = intent.text(name).text(value);
        }
        intent = match &self.body {
            Some(body) => intent.byte(1).bytes(body),
            None => intent.byte(0),
        };
        let idempotent = self.idempotent.map_or(2, u8::from);
        intent.byte(0).number(self.timeout_ms as usize).byte(idempotent).byte(0).submit()
    }

    /// Sends the request and waits for its answer.
    pub fn send(&self) -> Result<Response, Failure> {
        self.start().response()
    }
}

impl Call {
    /// Waits for the answer to a request.
    pub fn response(self) -> Result<Response, Failure> {
        let mut event = self.wait()?;
        let status = event.number();
        event.text();
        event.text();
        event.byte();
        let headers = (0..event.number()).map(|_| (event.text(), event.text())).collect();
        Ok(Response { status, headers, body: event.bytes() })
    }

    fn wait(self) -> Result<Reader, Failure> {
        let mut event = Reader::of_answer(self.0);
        match event.byte() {
            3 => {
                event.number();
                Err(Failure { code: event.text(), message: event.text() })
            }
            _ => {
                event.number();
                Ok(event)
            }
        }
    }
}

/// Waits for a message of one of these types; with none named, of any type.
pub fn receive(types: &[&str]) -> Result<Message, Failure> {
    let mut intent = Intent::new(8).number(1).byte(u8::from(!types.is_empty()));
    if !types.is_empty() {
        intent = intent.number(types.len());
        for one in types {
            intent = intent.text(one);
        }
    }
    let mut event = intent.submit().wait()?;
    if event.byte() == 1 {
        event.text();
    }
    Ok(Message { kind: event.text(), data: event.text() })
}

/// Starts a job of another workflow, which is cancelled when this one ends. `input` is JSON text. Returns its id.
pub fn start(workflow: &str, input: &str) -> Result<String, Failure> {
    let intent = Intent::new(9).number(1).byte(0).text(workflow).text(input).number(1).byte(0);
    Ok(intent.submit().wait()?.text())
}

/// Waits for the end of a job that this attempt started; its result is JSON text.
pub fn join(job: &str) -> Result<String, Failure> {
    let mut event = Intent::new(10).number(1).text(job).submit().wait()?;
    match event.byte() {
        0 => Ok(event.text()),
        1 => Err(Failure { code: event.text(), message: event.text() }),
        _ => Err(Failure { code: "CANCELLED".to_string(), message: event.text() }),
    }
}

/// Puts a message into another job's inbox; `data` is JSON text.
pub fn send(job: &str, kind: &str, data: &str) -> Result<(), Failure> {
    Intent::new(11).number(1).text(job).text(kind).text(data).submit().wait().map(|_| ())
}

/// An early result, for who waits for one; JSON text.
pub fn respond(value: &str) {
    Intent::new(12).text(value).submit();
}

/// Whether the program may run the code that knows this change: not when its attempt began with code that doesn't.
pub fn version(change: &str) -> bool {
    unsafe { host_version(change.as_ptr(), change.len() as u32) == 1 }
}

/// Shows how far the job is.
pub fn progress(percent: f64, text: &str) {
    Intent::new(4).float(percent).text(text).submit();
}

struct Intent(Vec<u8>);

impl Intent {
    fn new(tag: u8) -> Intent {
        Intent(vec![1, 1, 0, 0, 0, tag])
    }
    fn byte(mut self, value: u8) -> Intent {
        self.0.push(value);
        self
    }
    fn number(mut self, value: usize) -> Intent {
        self.0.extend_from_slice(&(value as u32).to_le_bytes());
        self
    }
    fn float(mut self, value: f64) -> Intent {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }
    fn bytes(mut self, value: &[u8]) -> Intent {
        self = self.number(value.len());
        self.0.extend_from_slice(value);
        self
    }
    fn text(self, value: &str) -> Intent {
        self.bytes(value.as_bytes())
    }
    fn submit(self) -> Call {
        Call(unsafe { host_submit(self.0.as_ptr(), self.0.len() as u32) })
    }
}

struct Reader {
    bytes: Vec<u8>,
    at: usize,
}

impl Reader {
    fn of_answer(call: u32) -> Reader {
        let length = unsafe { host_wait(call) };
        let mut bytes = vec![0; length as usize];
        unsafe { host_read(bytes.as_mut_ptr(), length) };
        // Version, time, and the number of events, which is 1.
        Reader { bytes, at: 13 }
    }
    fn take(&mut self, length: usize) -> &[u8] {
        self.at += length;
        &self.bytes[self.at - length..self.at]
    }
    fn byte(&mut self) -> u8 {
        self.take(1)[0]
    }
    fn number(&mut self) -> u32 {
        let mut value = [0; 4];
        value.copy_from_slice(self.take(4));
        u32::from_le_bytes(value)
    }
    fn bytes(&mut self) -> Vec<u8> {
        let length = self.number() as usize;
        self.take(length).to_vec()
    }
    fn text(&mut self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}
