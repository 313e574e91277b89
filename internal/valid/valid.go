// Package valid marks input that was checked, so that it is checked once: the
// wire checks what a client sent before anything is looked up, and the domain
// takes nothing unchecked.
package valid

// Checker is input that can tell whether it is well formed. Errors of Validate
// are fault.Invalid and name the property.
type Checker interface{ Validate() error }

// Of is a T whose Validate has said nothing against it. Only Check makes one.
type Of[T Checker] struct {
	value   T
	checked bool
}

// Check asks the input's Validate.
func Check[T Checker](v T) (Of[T], error) {
	if err := v.Validate(); err != nil {
		return Of[T]{}, err
	}
	return Of[T]{v, true}, nil
}

// Value gives the input. It panics when the value was not made by Check: that is
// a defect of the caller.
func (o Of[T]) Value() T {
	if !o.checked {
		panic("input was not checked")
	}
	return o.value
}
