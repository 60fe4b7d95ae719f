package loadgen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"

	"github.com/gorilla/websocket"
)

// failureOutcome names the cause of a handshake that got no HTTP answer.
func failureOutcome(err error) string {
	var name *net.DNSError
	var netErr net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return outcomeRefused
	case isReset(err):
		return outcomeReset
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return outcomeNoPort
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return outcomeNoFD
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return outcomeUnreachable
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return outcomeTimeout
	case errors.As(err, &name):
		return outcomeName
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return outcomeEOF
	case isTLS(err):
		return outcomeTLS
	default:
		return outcomeOther
	}
}

// httpOutcome is the outcome of a handshake that got another HTTP answer than a 101.
func httpOutcome(status int) string { return "HTTP " + strconv.Itoa(status) }

// answeredInstead is the error of an HTTP answer that is not the one asked for. Its
// body stays out of it: it may repeat what the client sent, secrets included.
func answeredInstead(status int) error {
	return fmt.Errorf("the server answered %s", strings.TrimSpace(strconv.Itoa(status)+" "+http.StatusText(status)))
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// isTLS tells whether TLS failed: a certificate that is not trusted, a peer that
// speaks no TLS, or an alert, which crypto/tls wraps in a net.OpError of these
// two operations.
func isTLS(err error) bool {
	var record tls.RecordHeaderError
	var verify *tls.CertificateVerificationError
	var op *net.OpError
	return errors.As(err, &record) || errors.As(err, &verify) ||
		errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error") ||
		strings.HasPrefix(err.Error(), "tls: ")
}

// endOf turns a reader's last error into what the client saw. asked says that the
// client has sent a Close frame.
func endOf(err error, asked bool) End {
	var frame *websocket.CloseError
	var netErr net.Error
	switch {
	case errors.As(err, &frame) && frame.Code != websocket.CloseAbnormalClosure:
		return End{Kind: EndCloseFrame, Code: frame.Code, Text: frame.Text}
	case errors.As(err, &frame), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return End{Kind: EndFIN}
	case isReset(err):
		return End{Kind: EndRST}
	case errors.Is(err, net.ErrClosed):
		return End{Kind: EndError, Text: "closed here"}
	case asked && errors.As(err, &netErr) && netErr.Timeout():
		return End{Kind: EndError, Text: "the peer did not answer the Close frame in time"}
	case errors.Is(err, websocket.ErrReadLimit):
		return End{Kind: EndError, Text: err.Error()}
	case strings.HasPrefix(err.Error(), "websocket: "): // gorilla has no type for these
		return End{Kind: EndProtocol, Text: strings.TrimPrefix(err.Error(), "websocket: ")}
	default:
		return End{Kind: EndError, Text: err.Error()}
	}
}
