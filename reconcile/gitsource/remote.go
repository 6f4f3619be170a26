package gitsource

import (
	"context"
	"errors"
)

func (r *Repo) fetchRemote(context.Context) error {
	return errors.New("remotes cannot be fetched yet: clone the repository and give its path")
}
