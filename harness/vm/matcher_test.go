package vm

import (
	"errors"
	"fmt"

	"github.com/onsi/gomega/gcustom"
	"github.com/onsi/gomega/types"
)

// failFor matches an *Error that gives the reason.
func failFor(reason Reason) types.GomegaMatcher {
	return gcustom.MakeMatcher(func(err error) (bool, error) {
		var failure *Error
		return errors.As(err, &failure) && failure.Reason == reason, nil
	}).WithMessage(fmt.Sprintf("fail because %s", reason))
}
