package result

// SelfNoise is what a machine and the rig itself add to every latency: no figure of
// a run can be finer. It is measured with one client, before the system under test is
// up, over loopback.
type SelfNoise struct {
	// PingPong is a TCP round trip between two goroutines, without the rig: the floor.
	// Echo is a WebSocket round trip between the load generator and a minimal server,
	// as often and as large.
	PingPong NoiseFigures `json:"ping_pong"`
	Echo     NoiseFigures `json:"echo"`
	// AddedP50 and AddedP99 are Echo less PingPong, in seconds: what the rig adds,
	// WebSocket framing on both sides included.
	AddedP50 float64  `json:"added_p50_s"`
	AddedP99 *float64 `json:"added_p99_s"`
	// Lag is how late the load generator acted on the open-loop schedule of Echo.
	Lag NoiseFigures `json:"schedule_lag"`
	// Doubts are what the load generator says against itself.
	Doubts []string `json:"doubts"`
}

// NoiseFigures are a distribution's, in seconds. P99 is nil with too few samples.
type NoiseFigures struct {
	P50  float64  `json:"p50_s"`
	P99  *float64 `json:"p99_s"`
	Max  float64  `json:"max_s"`
	N    int64    `json:"n"`
	Rate float64  `json:"rate_per_s"` // samples a second that were asked for
}
