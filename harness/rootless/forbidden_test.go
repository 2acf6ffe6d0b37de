package rootless

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestReasons(t *testing.T) {
	const (
		debian   = "unprivileged_userns_clone is 0"
		ubuntu   = "kernel.apparmor_restrict_unprivileged_userns is 1"
		root     = "chroot"
		filter   = "seccomp"
		noneLeft = "max_user_namespaces is 0"
	)
	for name, c := range map[string]struct {
		system system
		at     step
		errno  unix.Errno
		want   []string // what each reason has to contain
	}{
		"no user namespaces allowed":      {system{maxUser: "0"}, userNamespace, unix.ENOSPC, []string{noneLeft}},
		"all user namespaces used up":     {system{maxUser: "7"}, userNamespace, unix.ENOSPC, []string{"as user.max_user_namespaces allows"}},
		"no network namespaces allowed":   {system{maxNet: "0"}, networkNamespace, unix.ENOSPC, []string{"user.max_net_namespaces is 0"}},
		"all network namespaces used up":  {system{maxUser: "0", maxNet: "9"}, networkNamespace, unix.ENOSPC, []string{"as user.max_net_namespaces allows"}},
		"built without user namespaces":   {system{}, userNamespace, unix.EINVAL, []string{"CONFIG_USER_NS"}},
		"built without network":           {system{}, networkNamespace, unix.EINVAL, []string{"CONFIG_NET_NS"}},
		"Debian's setting":                {system{unprivileged: "0"}, userNamespace, unix.EPERM, []string{debian}},
		"Debian's setting, allowing":      {system{unprivileged: "1"}, userNamespace, unix.EPERM, nil},
		"Ubuntu's setting, inside":        {system{unprivileged: "1", appArmor: "1"}, networkNamespace, unix.EPERM, []string{ubuntu}},
		"Ubuntu's setting, at once":       {system{appArmor: "1"}, userNamespace, unix.EACCES, []string{ubuntu}},
		"Ubuntu's setting, allowing":      {system{appArmor: "0"}, networkNamespace, unix.EPERM, nil},
		"in a chroot":                     {system{changedRoot: true}, userNamespace, unix.EPERM, []string{root}},
		"a chroot does not forbid more":   {system{changedRoot: true, unprivileged: "0"}, networkNamespace, unix.EPERM, nil},
		"in a container":                  {system{seccomp: true}, userNamespace, unix.EPERM, []string{filter}},
		"in a container on Ubuntu":        {system{seccomp: true, appArmor: "1"}, userNamespace, unix.EPERM, []string{ubuntu, filter}},
		"root without capabilities":       {system{root: true}, userNamespace, unix.EPERM, []string{"CAP_SYS_ADMIN"}},
		"nothing that is known":           {system{maxUser: "0"}, userNamespace, unix.EPERM, nil},
		"everything, of which one failed": {system{maxUser: "0", unprivileged: "0", appArmor: "1", seccomp: true}, userNamespace, unix.ENOSPC, []string{noneLeft}},
	} {
		got := c.system.reasons(c.at, c.errno)
		if !slices.EqualFunc(got, c.want, strings.Contains) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestForbiddenSaysWhatAndWhy(t *testing.T) {
	for _, c := range []struct {
		reasons []string
		want    string
	}{
		{[]string{"one", "two"}, "operation not permitted: one; two"},
		{nil, "operation not permitted: none of the settings"},
	} {
		if got := (&Forbidden{Reasons: c.reasons, Err: unix.EPERM}).Error(); !strings.HasPrefix(got, c.want) {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestOtherFailuresStayWhatTheyAre(t *testing.T) {
	for _, err := range []error{nil, unix.EAGAIN, errors.New("no errno at all")} {
		got := forbidden(userNamespace, err)
		var refused *Forbidden
		if errors.As(got, &refused) || !errors.Is(got, err) {
			t.Errorf("%v came back as %v", err, got)
		}
	}
}

func TestParse(t *testing.T) {
	if err := parse(""); err != nil {
		t.Errorf("no error came back as %v", err)
	}
	if err := parse("1 unshare: no\n"); !errors.Is(err, unix.EPERM) || err.Error() != "unshare: no" {
		t.Errorf("an error came back as %v", err)
	}
	var errno unix.Errno
	if err := parse("PASS\n"); err == nil || errors.As(err, &errno) {
		t.Errorf("no answer was taken for %v", err)
	}
}
