/** Figures that plugins of the DNS plane keep, in the manner of Prometheus. */

/** A figure by labels, in the manner of Prometheus. Labels are given in the order of the names that it was made with. */
export interface DnsCounter {
  add(count: number, ...labels: readonly string[]): void
  /** The figure of these labels alone, found once: for what counts each query. */
  labelled(...labels: readonly string[]): DnsCount
}
export interface DnsCount {
  add(count: number): void
}
export interface DnsGauge {
  set(value: number, ...labels: readonly string[]): void
}
export interface DnsHistogram {
  observe(value: number, ...labels: readonly string[]): void
  /** That of these labels alone, found once. */
  labelled(...labels: readonly string[]): DnsObservations
}
export interface DnsObservations {
  observe(value: number): void
}
/** Made once a process: who asks for a name again is given the same one. Written out by `prometheus`. */
export interface DnsMetrics {
  counter(name: string, help: string, labels?: readonly string[]): DnsCounter
  gauge(name: string, help: string, labels?: readonly string[]): DnsGauge
  histogram(name: string, help: string, buckets: readonly number[], labels?: readonly string[]): DnsHistogram
  /** All of them, in the text format of Prometheus (0.0.4). */
  text(): string
}
