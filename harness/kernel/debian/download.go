package debian

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"time"
)

// defaultPatience is for how long a mirror may send nothing, or next to nothing,
// before it counts as out of reach.
const defaultPatience = 30 * time.Second

// slowest is what a mirror has to send, in bytes a second: at less, a kernel would
// take hours.
const slowest = 4 << 10

// client takes files as they are: a mirror must not compress them once more.
var client = &http.Client{Transport: func() http.RoundTripper {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true
	transport.MaxIdleConnsPerHost = 16
	return transport
}()}

// A statusError is an answer of a mirror that is not the file.
type statusError struct {
	code   int
	status string
}

func (e *statusError) Error() string { return "it answered " + e.status }

// isAbsent tells whether a mirror has said that it does not have a file.
func isAbsent(err error) bool {
	var status *statusError
	return errors.As(err, &status) && (status.code == http.StatusNotFound || status.code == http.StatusGone)
}

// isRefusal tells whether a mirror has answered that it will not give a file.
// There are some that do so for files that they do not have.
func isRefusal(err error) bool {
	var status *statusError
	return errors.As(err, &status) && status.code >= 400 && status.code < 500
}

// get asks a mirror for a file. The caller closes the body.
func (a *Archive) get(ctx context.Context, m mirror, file string) (io.ReadCloser, error) {
	base, err := url.Parse(m.uri)
	if err != nil {
		return nil, err
	}
	patience := a.patience
	if patience == 0 {
		patience = defaultPatience
	}
	ctx, cancel := context.WithCancelCause(ctx)
	silence := time.AfterFunc(patience, func() {
		cancel(fmt.Errorf("it sent nothing for %v", patience))
	})
	b := &body{ctx: ctx, cancel: cancel, silence: silence, patience: patience}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base.JoinPath(file).String(), nil)
	if err != nil {
		b.Close()
		return nil, err
	}
	request.Header.Set("User-Agent", "finwait")
	response, err := client.Do(request) //nolint:bodyclose // closed by Close of the body that is returned
	silence.Stop()
	if err != nil {
		err = b.explain(err)
		b.Close()
		return nil, err
	}
	b.response = response.Body
	if response.StatusCode != http.StatusOK {
		b.Close()
		return nil, &statusError{response.StatusCode, response.Status}
	}
	return b, nil
}

// A body is a response's body that fails when the mirror falls silent, or is too
// slow to wait for.
type body struct {
	ctx      context.Context
	cancel   context.CancelCauseFunc
	silence  *time.Timer
	patience time.Duration
	response io.ReadCloser

	got    int           // bytes, while it was
	waited time.Duration // for them
}

func (b *body) Read(p []byte) (int, error) {
	b.silence.Reset(b.patience)
	asked := time.Now()
	n, err := b.response.Read(p)
	// What the reader does with it may take longer.
	b.silence.Stop()
	switch {
	case errors.Is(err, io.EOF):
		return n, err
	case err != nil:
		return n, b.explain(err)
	}
	return n, b.pace(n, time.Since(asked))
}

// pace fails once the mirror has been too slow for as long as one is waited for.
func (b *body) pace(got int, waited time.Duration) error {
	b.got += got
	b.waited += waited
	if b.waited < b.patience {
		return nil
	}
	if float64(b.got) < slowest*b.waited.Seconds() {
		return fmt.Errorf("it is too slow: %d bytes in %v", b.got, b.waited.Round(100*time.Millisecond))
	}
	b.got, b.waited = 0, 0
	return nil
}

func (b *body) Close() error {
	b.silence.Stop()
	b.cancel(nil)
	if b.response == nil {
		return nil
	}
	return b.response.Close()
}

// explain puts the reason why a request was ended in the place of the error that
// ending it caused, and leaves the URL out, which net/http repeats.
func (b *body) explain(err error) error {
	if cause := context.Cause(b.ctx); cause != nil {
		return cause
	}
	var request *url.Error
	if errors.As(err, &request) {
		return request.Err
	}
	return err
}

// download gets a file from the first of the mirrors that has it as the index
// says, and saves it in folder under its own name, whose path it returns.
func (a *Archive) download(ctx context.Context, f remoteFile, folder string) (string, error) {
	local := filepath.Join(folder, path.Base(f.path))
	err := tryMirrors(ctx, f.mirrors, f.path, func(m mirror) error {
		return a.downloadFrom(ctx, m, f, local)
	})
	var failed *mirrorsError
	if errors.As(err, &failed) && failed.all(isOther) {
		err = &staleError{index: f.mirrors[0], failed: failed}
	}
	return local, err
}

// A remoteFile is a file of the archive that a verified index vouches for.
type remoteFile struct {
	// mirrors are where it is looked for, in order; the first gave the index.
	mirrors []mirror
	// path is below the mirror's folder.
	path string
	// name is what progress is reported under.
	name string
	digest
}

func (a *Archive) downloadFrom(ctx context.Context, m mirror, f remoteFile, local string) (err error) {
	content, err := a.get(ctx, m, f.path)
	if err != nil {
		return err
	}
	defer content.Close()
	create := os.Create
	if a.create != nil {
		create = a.create
	}
	file, err := create(local)
	if err != nil {
		return writeError(filepath.Dir(local), err)
	}
	defer func() {
		if closing := file.Close(); err == nil && closing != nil {
			err = writeError(filepath.Dir(local), closing)
		}
	}()
	report := func(done int64) {
		a.progress(Progress{Step: Download, File: f.name, Done: done, Total: f.Size})
	}
	return copyVerified(file, filepath.Dir(local), content, f.digest, report)
}

// copyVerified copies a file of the archive to file, which lies in folder, and
// checks on the way that it is what the index says.
func copyVerified(file io.Writer, folder string, content io.Reader, want digest, report func(done int64)) error {
	sum := sha256.New()
	// A byte more than there should be shows that there is more.
	content = &meter{io.LimitReader(content, want.Size+1), 0, report}
	read := &source{r: io.TeeReader(content, sum)}
	n, err := io.Copy(file, read)
	switch {
	case errors.Is(read.err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the download was cut short: expected %d bytes, got %d", want.Size, n)
	case read.err != nil:
		return fmt.Errorf("the download broke off after %d of %d bytes: %w", n, want.Size, read.err)
	case err != nil:
		return writeError(folder, err)
	case n < want.Size:
		return &otherFileError{fmt.Sprintf("cut short: expected %d bytes, got %d", want.Size, n)}
	case n > want.Size:
		return &otherFileError{fmt.Sprintf("wrong size: expected %d bytes, got more", want.Size)}
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want.SHA256 {
		return &otherFileError{fmt.Sprintf("wrong hash: expected SHA256 %s, got %s", want.SHA256, got)}
	}
	return nil
}

// A source remembers the error of a reader, to tell it from that of the writer in
// io.Copy.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// A meter reports how many bytes have been read.
type meter struct {
	r      io.Reader
	done   int64
	report func(done int64)
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.done += int64(n)
	m.report(m.done)
	return n, err
}
