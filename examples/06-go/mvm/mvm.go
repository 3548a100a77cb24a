//go:build wasip1

// Package mvm makes durable calls from a Go program for WASI (GOOS=wasip1). Copy it into your own module.
//
// Whatever waits in the program is durable: time.Sleep, timers, and the calls here. The bytes are those of
// docs/internals/step-machine.md ("Encoding for core").
package mvm

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"unsafe"
)

//go:wasmimport mvm submit
//go:noescape
func hostSubmit(intents unsafe.Pointer, length uint32) uint32

//go:wasmimport mvm wait
func hostWait(call uint32) uint32

//go:wasmimport mvm read
//go:noescape
func hostRead(place unsafe.Pointer, length uint32) uint32

//go:wasmimport mvm version
//go:noescape
func hostVersion(change unsafe.Pointer, length uint32) uint32

// Failure is the error that a call was answered with: a stable code, such as CONNECTION_LOST, and words for people.
type Failure struct {
	Code    string
	Message string
}

func (failure *Failure) Error() string { return fmt.Sprintf("%s: %s", failure.Code, failure.Message) }

// Request is an HTTP request. The zero Method is GET, the zero TimeoutMs two minutes.
type Request struct {
	Method    string
	URL       string
	Headers   [][2]string
	Body      []byte
	TimeoutMs uint32
	// Idempotent says whether it may be sent again after its answer was lost; nil: by its method.
	Idempotent *bool
}

// Response is the answer to a request, also one with a status such as 404.
type Response struct {
	Status  uint32
	Headers [][2]string
	Body    []byte
}

// Message is what another job or somebody outside sent.
type Message struct {
	Type string
	Data json.RawMessage
}

// Call is a request that was sent and not waited for yet.
type Call uint32

// Start sends the request and goes on: several may be in flight.
func (request Request) Start() Call {
	intent := newIntent(0).number(1).text(or(request.Method, "GET")).text(request.URL).number(uint32(len(request.Headers)))
	for _, header := range request.Headers {
		intent.text(header[0]).text(header[1])
	}
	if request.Body == nil {
		intent.byte(0)
	} else {
		intent.byte(1).bytes(request.Body)
	}
	timeout := request.TimeoutMs
	if timeout == 0 {
		timeout = 120_000
	}
	idempotent := byte(2)
	if request.Idempotent != nil {
		idempotent = flag(*request.Idempotent)
	}
	return intent.byte(0).number(timeout).byte(idempotent).byte(0).submit()
}

// Fetch sends the request and waits for its answer. While it waits, no other goroutine runs: to have several requests in
// flight, Start them all first.
func Fetch(request Request) (*Response, error) { return request.Start().Response() }

// Response waits for the answer to a request.
func (call Call) Response() (*Response, error) {
	event, err := call.wait()
	if err != nil {
		return nil, err
	}
	response := &Response{Status: event.number()}
	event.text()
	event.text()
	event.byte()
	for left := event.number(); left > 0; left-- {
		response.Headers = append(response.Headers, [2]string{event.text(), event.text()})
	}
	response.Body = event.bytes()
	return response, nil
}

// Receive waits for a message of one of these types; with none named, of any type.
func Receive(types ...string) (*Message, error) {
	intent := newIntent(8).number(1).byte(flag(len(types) > 0))
	if len(types) > 0 {
		intent.number(uint32(len(types)))
	}
	for _, one := range types {
		intent.text(one)
	}
	event, err := intent.submit().wait()
	if err != nil {
		return nil, err
	}
	if event.byte() == 1 {
		event.text()
	}
	return &Message{Type: event.text(), Data: json.RawMessage(event.bytes())}, nil
}

// Start starts a job of another workflow, which is cancelled when this one ends, and returns its id.
func Start(workflow string, input any) (string, error) {
	text, err := json.Marshal(input)
	if err != nil {
		return "", err
	}
	event, err := newIntent(9).number(1).byte(0).text(workflow).bytes(text).number(1).byte(0).submit().wait()
	if err != nil {
		return "", err
	}
	return event.text(), nil
}

// Join waits for the end of a job that this attempt started, and returns its result.
func Join(job string) (json.RawMessage, error) {
	event, err := newIntent(10).number(1).text(job).submit().wait()
	if err != nil {
		return nil, err
	}
	switch event.byte() {
	case 0:
		return json.RawMessage(event.bytes()), nil
	case 1:
		return nil, &Failure{Code: event.text(), Message: event.text()}
	default:
		return nil, &Failure{Code: "CANCELLED", Message: event.text()}
	}
}

// Send puts a message into another job's inbox.
func Send(job, messageType string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	_, err = newIntent(11).number(1).text(job).text(messageType).bytes(text).submit().wait()
	return err
}

// Respond gives an early result, for who waits for one.
func Respond(value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	newIntent(12).bytes(text).submit()
	return nil
}

// Version says whether the program may run the code that knows this change: not when its attempt began with code that
// doesn't.
func Version(change string) bool {
	return hostVersion(unsafe.Pointer(unsafe.StringData(change)), uint32(len(change))) == 1
}

// Progress shows how far the job is.
func Progress(percent float64, text string) {
	newIntent(4).float(percent).text(text).submit()
}

func (call Call) wait() (*reader, error) {
	bytes := make([]byte, hostWait(uint32(call)))
	hostRead(unsafe.Pointer(unsafe.SliceData(bytes)), uint32(len(bytes)))
	// Version, time, and the number of events, which is 1.
	event := &reader{buffer: bytes, at: 13}
	tag := event.byte()
	event.number()
	if tag == 3 {
		return nil, &Failure{Code: event.text(), Message: event.text()}
	}
	return event, nil
}

type intent struct{ buffer []byte }

func newIntent(tag byte) *intent { return &intent{[]byte{1, 1, 0, 0, 0, tag}} }

func (to *intent) byte(value byte) *intent {
	to.buffer = append(to.buffer, value)
	return to
}

func (to *intent) number(value uint32) *intent {
	to.buffer = binary.LittleEndian.AppendUint32(to.buffer, value)
	return to
}

func (to *intent) float(value float64) *intent {
	to.buffer = binary.LittleEndian.AppendUint64(to.buffer, math.Float64bits(value))
	return to
}

func (to *intent) bytes(value []byte) *intent {
	to.number(uint32(len(value)))
	to.buffer = append(to.buffer, value...)
	return to
}

func (to *intent) text(value string) *intent { return to.bytes([]byte(value)) }

func (to *intent) submit() Call {
	return Call(hostSubmit(unsafe.Pointer(unsafe.SliceData(to.buffer)), uint32(len(to.buffer))))
}

type reader struct {
	buffer []byte
	at     int
}

func (from *reader) take(length int) []byte {
	from.at += length
	return from.buffer[from.at-length : from.at]
}

func (from *reader) byte() byte     { return from.take(1)[0] }
func (from *reader) number() uint32 { return binary.LittleEndian.Uint32(from.take(4)) }
func (from *reader) bytes() []byte  { return from.take(int(from.number())) }
func (from *reader) text() string   { return string(from.bytes()) }

func flag(value bool) byte {
	if value {
		return 1
	}
	return 0
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
