package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sampleReport = `<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="X Suite" tests="3" failures="1" errors="0" time="0.1">
  <testcase name="X Integration Tests Create - makes one" classname="X Suite" time="0.1"></testcase>
  <testcase name="X Integration Tests Get - fetches one" classname="X Suite" time="0.1">
    <failure type="Failure">/home/u/mod/platform-services-go-sdk@v0.1.0/p/a.go:1&#xA;Expected&#xA;    &lt;int&gt;: 501</failure>
  </testcase>
  <testcase name="X Integration Tests Delete" classname="X Suite" time="0.1"><skipped>no configuration</skipped></testcase>
  <testcase name="X unit tests are not counted" classname="X Suite" time="0"><skipped></skipped></testcase>
  <testcase name="AfterSuite" classname="X Suite" time="0"><failure type="Panic">boom</failure></testcase>
</testsuite>`

func TestOnlyIntegrationSpecsAreCountedAndSkippedIsNotPassed(t *testing.T) {
	specs, err := parseReport([]byte(sampleReport))
	if err != nil {
		t.Fatal(err)
	}
	want := []spec{
		{name: "Create - makes one", outcome: passed},
		{name: "Get - fetches one", outcome: failed, message: "p/a.go:1\nExpected\n    <int>: 501"},
		{name: "Delete", outcome: skipped, message: "no configuration"},
	}
	if diff := cmp.Diff(want, specs, cmp.AllowUnexported(spec{})); diff != "" {
		t.Errorf("specs (-want +got):\n%s", diff)
	}
}

func TestBrokenReportIsAnErrorNotAnEmptyPass(t *testing.T) {
	for _, text := range []string{"", "<testsuite>", "panic: x"} {
		if specs, err := parseReport([]byte(text)); err == nil {
			t.Errorf("parseReport(%q) = %v, want an error", text, specs)
		}
	}
}

func TestVerdict(t *testing.T) {
	a, b, c := spec{name: "a"}, spec{name: "b", outcome: failed}, spec{name: "c", outcome: skipped}
	gaps := func(names ...string) map[string]bool {
		m := map[string]bool{}
		for _, n := range names {
			m[n] = true
		}
		return m
	}
	tests := []struct {
		name  string
		v     verdict
		fault string // part of the first fault; empty: the suite is fine
	}{
		{name: "floor reached, the rest are known gaps", v: verdict{floor: floor{"s", 3, 1}, specs: []spec{a, b, c}, gaps: gaps("b", "c")}},
		{name: "a spec outside of the gaps failed", v: verdict{floor: floor{"s", 3, 1}, specs: []spec{a, b, c}, gaps: gaps("c")},
			fault: "1 specs did not pass"},
		{name: "a skipped spec outside of the gaps counts as not passed", v: verdict{floor: floor{"s", 3, 1}, specs: []spec{a, b, c},
			gaps: gaps("b")}, fault: "1 specs did not pass"},
		{name: "fewer passed than the floor", v: verdict{floor: floor{"s", 3, 2}, specs: []spec{a, b, c}, gaps: gaps("b", "c")},
			fault: "1 specs passed, the floor is 2"},
		{name: "the suite lost a spec", v: verdict{floor: floor{"s", 4, 1}, specs: []spec{a, b, c}, gaps: gaps("b", "c")},
			fault: "has 3 specs, floors.txt says 4"},
		{name: "a gap that does not exist is a stale line", v: verdict{floor: floor{"s", 1, 1}, specs: []spec{a}, gaps: gaps("z")},
			fault: `names "z"`},
		{name: "a suite without a floor may fail everything", v: verdict{floor: floor{"s", 2, 0}, specs: []spec{b, c}}},
		{name: "a suite that did not run has nothing to show", v: verdict{floor: floor{"s", 2, 1}}, fault: "has 0 specs"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.v.judge()
			switch {
			case tt.fault == "" && len(tt.v.faults) > 0:
				t.Errorf("faults = %q, want none", tt.v.faults)
			case tt.fault != "" && (len(tt.v.faults) == 0 || !strings.Contains(tt.v.faults[0], tt.fault)):
				t.Errorf("faults = %q, want %q first", tt.v.faults, tt.fault)
			}
		})
	}
}

func TestReportNamesFailuresAndEndsWithOneLinePerSuite(t *testing.T) {
	specs, err := parseReport([]byte(sampleReport))
	if err != nil {
		t.Fatal(err)
	}
	v := &verdict{floor: floor{"s", 3, 2}, specs: specs, gaps: map[string]bool{"Delete": true, "Create - makes one": true}}
	v.judge()
	var out bytes.Buffer
	if report(&out, []*verdict{v}, false) {
		t.Error("a suite below its floor is reported as fine")
	}
	for _, want := range []string{"FAILED  Get - fetches one", "PASSED now: Create - makes one"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, &out)
		}
	}
	if strings.Contains(out.String(), "Delete") {
		t.Errorf("a known gap is listed without -v:\n%s", &out)
	}
	if !strings.HasSuffix(out.String(), "\ns: 1 of 3 passed (floor 2)\n") {
		t.Errorf("last line is wrong:\n%s", &out)
	}
}

func TestFloorsFile(t *testing.T) {
	tests := []struct {
		name, text string
		want       []floor
		wantErr    bool
	}{
		{name: "comments and columns", text: "# suite total floor\n\niamidentityv1   118  71\n", want: []floor{{"iamidentityv1", 118, 71}}},
		{name: "floor above total", text: "s 3 4\n", wantErr: true},
		{name: "negative floor", text: "s 3 -1\n", wantErr: true},
		{name: "word for a number", text: "s three 1\n", wantErr: true},
		{name: "missing column", text: "s 3\n", wantErr: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "floors.txt")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := readFloors(path)
			if (err != nil) != tt.wantErr {
				t.Fatalf("error = %v, want error: %v", err, tt.wantErr)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(floor{})); diff != "" {
				t.Errorf("floors (-want +got):\n%s", diff)
			}
		})
	}
}

// The files in the repository agree with each other: what is no gap must pass.
func TestRecordedFloorIsTheTotalLessTheGaps(t *testing.T) {
	data := filepath.Join("..", "..", "..", "conformance")
	floors, err := readFloors(filepath.Join(data, "floors.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range floors {
		if _, err := findSuite(f.suite); err != nil {
			t.Error(err)
		}
		gaps, err := readGaps(filepath.Join(data, "gaps", f.suite+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		if f.min > 0 && f.total-len(gaps) != f.min {
			t.Errorf("%s: %d specs less %d gaps is not the floor %d", f.suite, f.total, len(gaps), f.min)
		}
	}
}

func TestChoiceOfSuites(t *testing.T) {
	floors := []floor{{"iamidentityv1", 118, 71}, {"iamaccessgroupsv2", 38, 0}}
	tests := []struct {
		name    string
		args    []string
		want    []string
		wantErr bool
	}{
		{name: "by default those with a floor", want: []string{"iamidentityv1"}},
		{name: "named ones without a floor too", args: []string{"iamaccessgroupsv2"}, want: []string{"iamaccessgroupsv2"}},
		{name: "all", args: []string{"all"}, want: []string{"iamidentityv1", "iamaccessgroupsv2"}},
		{name: "unknown suite", args: []string{"iamidentity"}, wantErr: true},
		{name: "known suite without a line in the file", args: []string{"usagereportsv4"}, wantErr: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			chosen, err := choose(floors, tt.args)
			if (err != nil) != tt.wantErr {
				t.Fatalf("error = %v, want error: %v", err, tt.wantErr)
			}
			var got []string
			for _, f := range chosen {
				got = append(got, f.suite)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("chosen (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConfigurationHasBothIdentitiesAndNamesWhatIsMissing(t *testing.T) {
	s, err := findSuite("resourcemanagerv2")
	if err != nil {
		t.Fatal(err)
	}
	text, missing := s.configuration(map[string]string{
		"KAGIBAN_URL": "http://127.0.0.1:1", "KAGIBAN_APIKEY": "first", "KAGIBAN_ADMIN_APIKEY": "second", "KAGIBAN_ACCOUNT_ID": "acc",
	})
	want := `RESOURCE_MANAGER_URL=http://127.0.0.1:1
RESOURCE_MANAGER_AUTHTYPE=iam
RESOURCE_MANAGER_AUTH_URL=http://127.0.0.1:1
RESOURCE_MANAGER_APIKEY=first
ALT_RESOURCE_MANAGER_URL=http://127.0.0.1:1
ALT_RESOURCE_MANAGER_AUTHTYPE=iam
ALT_RESOURCE_MANAGER_AUTH_URL=http://127.0.0.1:1
ALT_RESOURCE_MANAGER_APIKEY=second
RESOURCE_MANAGER_QUOTA_ID=
RESOURCE_MANAGER_USER_ACCOUNT_ID=acc
`
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"KAGIBAN_QUOTA_ID"}, missing); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
}

func TestEnterpriseClientGetsItsPath(t *testing.T) {
	s, err := findSuite("enterprisemanagementv1")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := s.configuration(map[string]string{"KAGIBAN_URL": "http://h:1"})
	for _, want := range []string{"ENTERPRISE_MANAGEMENT_URL=http://h:1/v1\n", "ENTERPRISE_MANAGEMENT_AUTH_URL=http://h:1\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("configuration lacks %q:\n%s", want, text)
		}
	}
}

func TestRecordRaisesFloorsAndNeverLowersThem(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "gaps"), 0o700); err != nil {
		t.Fatal(err)
	}
	floorsFile, gapsFile := filepath.Join(dir, "floors.txt"), filepath.Join(dir, "gaps", "s.txt")
	for path, text := range map[string]string{
		floorsFile: "# suite\ns 3 1\nother 5 2\n",
		gapsFile:   "# why\nb\nc\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	v := &verdict{floor: floor{"s", 3, 1}, specs: []spec{{name: "a"}, {name: "b"}, {name: "c", outcome: failed}}}
	if err := record(dir, []*verdict{v}); err != nil {
		t.Fatal(err)
	}
	floors, err := readFloors(floorsFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]floor{{"s", 3, 2}, {"other", 5, 2}}, floors, cmp.AllowUnexported(floor{})); diff != "" {
		t.Errorf("floors (-want +got):\n%s", diff)
	}
	gaps, err := os.ReadFile(gapsFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(gaps) != "# why\nc\n" {
		t.Errorf("gaps = %q", gaps)
	}
	v = &verdict{floor: floor{"s", 3, 2}, specs: []spec{{name: "a"}, {name: "b", outcome: failed}, {name: "c", outcome: failed}}}
	if err := record(dir, []*verdict{v}); err == nil {
		t.Error("a floor was lowered")
	}
}
