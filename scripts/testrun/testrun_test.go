package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestGoTestOutputIsCountedByLeaf(t *testing.T) {
	tests := []struct {
		name     string
		lines    []string
		want     counts
		failures []string
	}{
		{
			name: "a parent is not counted beside its subtests",
			lines: []string{
				`{"Action":"run","Package":"p","Test":"TestA"}`,
				`{"Action":"run","Package":"p","Test":"TestA/x"}`,
				`{"Action":"run","Package":"p","Test":"TestA/y"}`,
				`{"Action":"pass","Package":"p","Test":"TestA/x"}`,
				`{"Action":"skip","Package":"p","Test":"TestA/y"}`,
				`{"Action":"pass","Package":"p","Test":"TestA"}`,
				`{"Action":"pass","Package":"p"}`,
			},
			want: counts{passed: 1, skipped: 1},
		},
		{
			name: "a failed subtest is one failure, not one per level",
			lines: []string{
				`{"Action":"run","Package":"p","Test":"TestA"}`,
				`{"Action":"run","Package":"p","Test":"TestA/x"}`,
				`{"Action":"fail","Package":"p","Test":"TestA/x"}`,
				`{"Action":"fail","Package":"p","Test":"TestA"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			want: counts{failed: 1}, failures: []string{"p TestA/x"},
		},
		{
			name: "a parent that fails by itself counts",
			lines: []string{
				`{"Action":"run","Package":"p","Test":"TestA"}`,
				`{"Action":"run","Package":"p","Test":"TestA/x"}`,
				`{"Action":"pass","Package":"p","Test":"TestA/x"}`,
				`{"Action":"fail","Package":"p","Test":"TestA"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			want: counts{passed: 1, failed: 1}, failures: []string{"p TestA"},
		},
		{
			name: "a test that never ended has failed",
			lines: []string{
				`{"Action":"run","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"panic: x\n"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			want: counts{failed: 1}, failures: []string{"p TestA"},
		},
		{
			name: "a package that does not build has failed",
			lines: []string{
				`{"ImportPath":"p [p.test]","Action":"build-output","Output":"a.go:1: undefined\n"}`,
				`{"ImportPath":"p [p.test]","Action":"build-fail"}`,
				`{"Action":"fail","Package":"p","FailedBuild":"p [p.test]"}`,
			},
			want: counts{failed: 1}, failures: []string{"p"},
		},
		{
			name:  "the go command's own fault is not an empty success",
			lines: []string{`go: cannot find main module`},
			want:  counts{failed: 1}, failures: []string{""},
		},
		{
			name:  "a package without tests is neither passed nor skipped",
			lines: []string{`{"Action":"skip","Package":"p"}`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := parseGoTest(strings.NewReader(strings.Join(tt.lines, "\n")+"\n"), nil)
			if err != nil {
				t.Fatal(err)
			}
			if r.counts != tt.want {
				t.Errorf("counts = %+v, want %+v", r.counts, tt.want)
			}
			var got []string
			for _, f := range r.failures {
				got = append(got, f.id.String())
			}
			if diff := cmp.Diff(tt.failures, got); diff != "" {
				t.Errorf("failures (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzGoTestOutput(f *testing.F) {
	f.Add("{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"TestA/x/y\"}\n{\"Action\":\"fail\",\"Package\":\"p\"}\nnoise")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := parseGoTest(strings.NewReader(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.failed != len(r.failures) || r.skipped != len(r.skips) {
			t.Errorf("%d failed with %d texts, %d skipped with %d texts", r.failed, len(r.failures), r.skipped, len(r.skips))
		}
	})
}

func TestSkippedTestIsAFailureUnlessListed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "allowed.txt")
	if err := os.WriteFile(path, []byte("# package Test reason\np TestA needs a tape drive\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	allowed, err := readAllowedSkips(path)
	if err != nil {
		t.Fatal(err)
	}
	r := goResults{counts: counts{skipped: 2}, skips: []failure{{id: testID{"p", "TestA"}}, {id: testID{"p", "TestB"}}}}
	r.judgeSkips(allowed)
	if r.counts != (counts{failed: 1, skipped: 1}) {
		t.Errorf("counts = %+v", r.counts)
	}
	if len(r.failures) != 1 || r.failures[0].id.Test != "TestB" {
		t.Errorf("failures = %v", r.failures)
	}
	if err := os.WriteFile(path, []byte("p TestA\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readAllowedSkips(path); err == nil {
		t.Error("a skip without a reason is allowed")
	}
}

func TestFuzzTargetsOfAModule(t *testing.T) {
	root := t.TempDir()
	files := map[string]string{
		"go.mod":                    "module x\n",
		"a/a_test.go":               "package a\n\nfunc FuzzOne(f *testing.F) {}\nfunc Fuzzy() {}\nfunc TestX(t *testing.T) {}\n",
		"a/b/b_test.go":             "package b\n\nfunc FuzzTwo(f *testing.F) {}\n",
		"a/a.go":                    "package a\n\nfunc FuzzNotATest(f int) {}\n",
		"nested/go.mod":             "module y\n",
		"nested/n_test.go":          "package n\n\nfunc FuzzOther(f *testing.F) {}\n",
		"a/testdata/fuzz/x_test.go": "func FuzzData(f int) {}\n",
	}
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := findFuzzTargets(root)
	if err != nil {
		t.Fatal(err)
	}
	want := []fuzzTarget{{"./a", "FuzzOne"}, {"./a/b", "FuzzTwo"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(fuzzTarget{})); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
}

func TestOnlyTheEndOfTheTimeIsForgivenToAFuzzTarget(t *testing.T) {
	tests := map[string]bool{
		"--- FAIL: FuzzX (5.09s)\n    context deadline exceeded\nFAIL\n":                                          true,
		"--- FAIL: FuzzX (1.00s)\n    x_test.go:9: context deadline exceeded\nFailing input written to x\nFAIL\n": false,
		"--- FAIL: FuzzX (0.10s)\n    panic: boom\n    context deadline exceeded\nFAIL\n":                         false,
		"x_test.go:1:1: syntax error\nFAIL\n":                                                                     false,
	}
	for output, want := range tests {
		if got := stoppedLate([]byte(output)); got != want {
			t.Errorf("stoppedLate(%q) = %v", output, got)
		}
	}
}

func TestFuzzTimeIsBounded(t *testing.T) {
	for n, want := range map[int]time.Duration{0: 0, 3: 5 * time.Second, 60: 3 * time.Second, 1000: time.Second} {
		if got := fuzzTime(n, 3*time.Minute); got != want {
			t.Errorf("fuzzTime(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestNamedStepsBringWhatTheyNeed(t *testing.T) {
	chosen, err := selectSteps(lanes(false), "node,vet")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, lane := range chosen {
		for _, s := range lane {
			got = append(got, s.name)
		}
	}
	if diff := cmp.Diff([]string{"vet", "build", "node"}, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if _, err := selectSteps(lanes(false), "spelling"); err == nil {
		t.Error("an unknown step is accepted")
	}
}

func TestSummaryEndsWithTheCounts(t *testing.T) {
	two := [][]step{{{name: "a"}}, {{name: "b"}}}
	var out bytes.Buffer
	ok := summarize(&out, two, []result{
		{name: "b", counts: counts{passed: 3, skipped: 2}, notes: []string{"a note"}},
		{name: "a", counts: counts{passed: 1, failed: 1}, err: errors.New("bad")},
	}, time.Second)
	if ok {
		t.Error("a run with a failure is reported as fine")
	}
	if !strings.HasSuffix(out.String(), "\n4 passed, 1 failed, 2 skipped\n") {
		t.Errorf("closing line is wrong:\n%s", &out)
	}
	if !strings.Contains(out.String(), "a note\n") {
		t.Errorf("the note is missing:\n%s", &out)
	}
}

func TestAStepThatRanNothingIsNotCalledOk(t *testing.T) {
	for want, r := range map[string]result{
		"ok":   {counts: counts{passed: 1, skipped: 1}},
		"skip": {counts: counts{skipped: 1}},
		"FAIL": {counts: counts{skipped: 1}, err: errors.New("bad")},
	} {
		if got := r.word(); got != want {
			t.Errorf("%+v is called %s, want %s", r.counts, got, want)
		}
	}
}

func TestLongFailuresKeepTheirEnd(t *testing.T) {
	if got := ending("short", 10); got != "short" {
		t.Errorf("ending = %q", got)
	}
	if got := ending("first line\nsecond\nlast", 9); got != "…\nlast" {
		t.Errorf("ending = %q", got)
	}
}

func TestPackagesAreShownWhenTheyAreDone(t *testing.T) {
	var shown []string
	_, err := parseGoTest(strings.NewReader(`{"Action":"output","Package":"p","Output":"-test.shuffle 17\n"}
{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p","Elapsed":1.5}
{"Action":"skip","Package":"without/tests"}
{"Action":"pass","Package":"q","Elapsed":0.25}
`), func(line string) { shown = append(shown, line) })
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"  fail    1.5 s  p (the same order: go test -shuffle=17)", "  pass    0.2 s  q"}
	if !slices.Equal(shown, want) {
		t.Errorf("%q, want %q", shown, want)
	}
}
