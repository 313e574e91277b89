package lists

// Map gives the items of a list another form, mostly that on the wire. The list
// that it gives is never nil, so that it is never null in an answer.
func Map[From, To any](list []From, as func(From) To) []To {
	out := make([]To, len(list))
	for i, item := range list {
		out[i] = as(item)
	}
	return out
}

// TryMap is Map for a form that cannot always be given.
func TryMap[From, To any](list []From, as func(From) (To, error)) (out []To, err error) {
	out = make([]To, len(list))
	for i, item := range list {
		if out[i], err = as(item); err != nil {
			return nil, err
		}
	}
	return out, nil
}
