// Package manifests holds what other programs read of this project against what they read it with.
package manifests

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/rhysd/actionlint"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

func read(t *testing.T, manifest string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "kubernetes", manifest))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// decode reads a manifest as the API server does with fieldValidation=Strict: a field
// that its kind does not have is an error.
func decode(document []byte) (any, error) {
	var what struct{ Kind string }
	if err := yaml.Unmarshal(document, &what); err != nil {
		return nil, err
	}
	var into any
	switch what.Kind {
	case "Job":
		into = &batchv1.Job{}
	case "DaemonSet":
		into = &appsv1.DaemonSet{}
	case "PersistentVolumeClaim":
		into = &corev1.PersistentVolumeClaim{}
	default:
		return nil, errors.New("no kind that is expected here: " + what.Kind)
	}
	text, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return nil, err
	}
	unknown, err := json.UnmarshalStrict(text, into)
	return into, errors.Join(append(unknown, err)...)
}

func TestManifestsAreWhatKubernetesReads(t *testing.T) {
	for _, name := range []string{"matrix-job.yaml", "nodes.yaml", "verdict-job.yaml", "volume.yaml"} {
		manifest, err := decode(read(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		switch m := manifest.(type) {
		case *batchv1.Job:
			checkPod(t, name, m.Spec.Template.Spec)
		case *appsv1.DaemonSet:
			checkPod(t, name, m.Spec.Template.Spec)
			for key, value := range m.Spec.Selector.MatchLabels {
				if m.Spec.Template.Labels[key] != value {
					t.Errorf("%s selects pods by %s=%s, which its own do not have", name, key, value)
				}
			}
		}
	}
	if _, err := decode([]byte("apiVersion: batch/v1\nkind: Job\nspec:\n  completionmode: Indexed\n")); err == nil {
		t.Error("a field that there is not was taken")
	}
}

// checkPod wants each mount to be one of a volume that the pod has.
func checkPod(t *testing.T, manifest string, pod corev1.PodSpec) {
	t.Helper()
	volumes := map[string]bool{}
	for _, v := range pod.Volumes {
		volumes[v.Name] = true
	}
	for _, c := range append(pod.InitContainers, pod.Containers...) {
		for _, m := range c.VolumeMounts {
			if !volumes[m.Name] {
				t.Errorf("%s: %s mounts %s, and there is no such volume", manifest, c.Name, m.Name)
			}
		}
	}
}

// A matrix with more kernels than the Job has completions would lose some, and one with
// fewer would have parts with nothing to do.
func TestTheJobHasACompletionForEachKernel(t *testing.T) {
	manifest, err := decode(read(t, "matrix-job.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	job := manifest.(*batchv1.Job)
	var matrix struct {
		Baseline string
		Kernels  []string
	}
	if err := yaml.Unmarshal(read(t, "matrix.yaml"), &matrix); err != nil {
		t.Fatal(err)
	}
	kernels := len(matrix.Kernels)
	if matrix.Baseline != "" {
		kernels++
	}
	if got := int(*job.Spec.Completions); got != kernels || *job.Spec.CompletionMode != batchv1.IndexedCompletion {
		t.Errorf("there are %d completions (%s) and %d kernels", got, *job.Spec.CompletionMode, kernels)
	}
	args := strings.Join(job.Spec.Template.Spec.Containers[0].Args, " ")
	if !strings.Contains(args, "--shard $(JOB_COMPLETION_INDEX)/"+strconv.Itoa(kernels)+" ") {
		t.Errorf("%q does not play one of %d parts", args, kernels)
	}
}

// What the page shows is a workflow, with inputs that there are.
func TestThePageShowsWorkflows(t *testing.T) {
	text, err := os.ReadFile("../../docs/github-actions.md")
	if err != nil {
		t.Fatal(err)
	}
	project, err := actionlint.NewProject("../..")
	if err != nil {
		t.Fatal(err)
	}
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```").FindAllStringSubmatch(string(text), -1)
	if len(shown) != 2 {
		t.Fatalf("%d workflows are shown, want two", len(shown))
	}
	for _, workflow := range shown {
		// What is here can be looked into, and what is elsewhere cannot.
		here := regexp.MustCompile(`finwait/finwait/(\S+)@COMMIT`).ReplaceAllString(workflow[1], "./$1")
		faults, err := linter.Lint("docs/github-actions.md", []byte(here), project)
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range faults {
			t.Error(fault)
		}
	}
}

// A tag can be moved to other code, a commit cannot.
func TestActionsArePinned(t *testing.T) {
	pinned := regexp.MustCompile(`^(\./\S+|[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$`)
	seen := 0
	err := filepath.WalkDir("../../.github", func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		for _, uses := range regexp.MustCompile(`(?m)^[ -]*uses: (.+)$`).FindAllStringSubmatch(string(text), -1) {
			seen++
			if !pinned.MatchString(uses[1]) {
				t.Errorf("%s: %q: want the whole commit, and its version behind a #", path, uses[1])
			}
		}
		return err
	})
	if err != nil || seen < 10 {
		t.Errorf("%d uses of actions were seen (%v)", seen, err)
	}
}

func TestTheDockerfileIsOne(t *testing.T) {
	file, err := os.Open(filepath.Join("..", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	stages, err := parse(file, func(warning string) { t.Error(warning) })
	if err != nil {
		t.Fatal(err)
	}
	last := stages[len(stages)-1]
	user := ""
	for _, command := range last.Commands {
		if c, ok := command.(*instructions.UserCommand); ok {
			user = c.User
		}
	}
	if number, err := strconv.Atoi(user); err != nil || number == 0 {
		t.Errorf("the image runs as %q: want the number of a user that is not root, for runAsNonRoot to be checked by", user)
	}
	if _, err := parse(strings.NewReader("FROM debian\nRAN true\n"), func(string) {}); err == nil {
		t.Error("an instruction that there is not was taken")
	}
}

func parse(r io.Reader, warn func(string)) ([]instructions.Stage, error) {
	result, err := parser.Parse(r)
	if err != nil {
		return nil, err
	}
	lint := linter.New(&linter.Config{Warn: func(rule, description, _, message string, _ []parser.Range) {
		warn(rule + ": " + description + ": " + message)
	}})
	stages, _, err := instructions.Parse(result.AST, lint)
	return stages, err
}
