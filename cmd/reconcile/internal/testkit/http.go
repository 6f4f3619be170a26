package testkit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Request sends one request and returns the body of the answer. An answer other
// than 200 is an error.
func Request(method, url, body string) ([]byte, error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close() //nolint:errcheck // read to the end
	data, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", method, url, res.Status, data)
	}
	return data, err
}

// HookSecret is the webhook secret that forges and daemons of the tests share.
const HookSecret = "a webhook secret of the scripts"

// Push sends one notification and returns the status of the answer.
func Push(base, forge, body, secret string) (int, error) {
	req, err := PushRequest(base, forge, body, secret)
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// PushRequest is a notification as a forge sends it.
func PushRequest(base, forge, body, secret string) (*http.Request, error) {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	sum := hex.EncodeToString(mac.Sum(nil))
	headers := map[string]map[string]string{
		"github": {"X-GitHub-Event": "push", "X-Hub-Signature-256": "sha256=" + sum},
		"gitea":  {"X-Gitea-Event": "push", "X-Gitea-Signature": sum},
		"gitlab": {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": secret},
	}[forge]
	req, err := http.NewRequest(http.MethodPost, base+"/webhook/git", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	return req, nil
}
