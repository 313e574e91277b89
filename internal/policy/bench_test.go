package policy_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/kagiban/kagiban/internal/policy"
	"github.com/kagiban/kagiban/internal/policy/policytest"
)

var benchSizes = []int{1_000, 10_000, 100_000}

func BenchmarkDecide(b *testing.B) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprintf("policies=%d", n), func(b *testing.B) {
			a := policytest.New(n)
			s := policy.NewSnapshot(a.Input)
			requests := a.Requests(1 << 14)
			allowed, i := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				if policy.Decide(s, &requests[i&(len(requests)-1)]).Allowed {
					allowed++
				}
				i++
			}
			b.ReportMetric(float64(allowed)/float64(i), "allowed/op")
		})
	}
}

// One subject with all policies of the account, most about other resources.
func BenchmarkDecideOfOneSubject(b *testing.B) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprintf("policies=%d", n), func(b *testing.B) {
			a := policytest.New(n)
			requests := a.Requests(1 << 12)
			for i, p := range a.Input.Policies {
				mine := *p
				mine.Subject = []policy.Attribute{equals(policy.AttrIAMID, "IBMid-1")}
				// All but those about one instance, of which there are few.
				if len(mine.Resource) < 3 || mine.Resource[1].Key != policy.AttrServiceInstance {
					mine.State = policy.StateDeleted
				}
				a.Input.Policies[i] = &mine
			}
			s := policy.NewSnapshot(a.Input)
			for i := range requests {
				requests[i].Subject.IAMID = "IBMid-1"
			}
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				policy.Decide(s, &requests[i&(len(requests)-1)])
				i++
			}
		})
	}
}

func BenchmarkActionsOn(b *testing.B) {
	a := policytest.New(10_000)
	s := policy.NewSnapshot(a.Input)
	requests := a.Requests(1 << 14)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		policy.ActionsOn(s, &requests[i&(len(requests)-1)])
		i++
	}
}

func BenchmarkExplain(b *testing.B) {
	a := policytest.New(10_000)
	s := policy.NewSnapshot(a.Input)
	requests := a.Requests(1 << 10)
	i := 0
	for b.Loop() {
		policy.Explain(s, &requests[i&(len(requests)-1)])
		i++
	}
}

func BenchmarkWhoCan(b *testing.B) {
	a := policytest.New(10_000)
	s := policy.NewSnapshot(a.Input)
	r := a.Requests(1)[0]
	for b.Loop() {
		policy.WhoCan(s, r.Action, r.Resource, r.Environment)
	}
}

func BenchmarkChangeOnePolicy(b *testing.B) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprintf("policies=%d", n), func(b *testing.B) {
			s := policy.NewSnapshot(policytest.New(n).Input)
			rng := rand.New(rand.NewPCG(3, 3))
			b.ReportAllocs()
			for b.Loop() {
				s = s.With(policy.PutPolicy(policytest.Policy(rng, rng.IntN(n))), policy.SetSeq(s.Seq()+1))
			}
		})
	}
}

func BenchmarkChangeOneMember(b *testing.B) {
	n := 100_000
	s := policy.NewSnapshot(policytest.New(n).Input)
	rng := rand.New(rand.NewPCG(3, 3))
	for b.Loop() {
		s = s.With(policy.AddMembers(policytest.Group(rng.IntN(n/10)), policytest.User(rng.IntN(n/2))))
	}
}

func BenchmarkNewSnapshot(b *testing.B) {
	for _, n := range benchSizes {
		b.Run(fmt.Sprintf("policies=%d", n), func(b *testing.B) {
			a := policytest.New(n)
			b.ReportAllocs()
			for b.Loop() {
				policy.NewSnapshot(a.Input)
			}
		})
	}
}
