/** A sentence for each metric, shown as its `# HELP`. */
export const METRIC_HELP: Readonly<Record<string, string>> = {
  orla_build_info: 'Always 1; the version is a label.',
  orla_epoch: 'The set of units that is live: the id of the last log entry it holds.',
  orla_store_position: 'The id of the last entry in the log of the store.',
  orla_store_followed:
    '1 while the log that this node has a replica of can be heard: of its control plane, or its engine.',
  orla_store_rejected: '1 while this node has what it does not run: the set before stays.',
  orla_edges: 'Edges that are known to this control plane, by whether they are there.',
  orla_edges_rejecting: 'Edges that have what they do not run.',
  orla_edges_lag_entries: 'Entries that the connected edge which lags most does not run yet.',
  orla_edges_live_duration_seconds:
    'Time from the append of an entry to live on all workers of an edge, over all edges.',
  orla_ready:
    '1 while `/readyz` says 200: all workers serve, the store can be written, the node does not drain.',
  orla_store_writable: '1 while the store can be written.',
  orla_units: 'Units by state.',
  orla_quarantined: 'Versions of units that are not run because they took their sandbox down.',
  orla_changes_total: 'Changes of units by result.',
  orla_change_duration_seconds: 'Time from a change asked for to its end.',
  orla_worker_restarts_total: 'Workers that ended and were replaced.',
  orla_workers_ready: 'Workers that serve.',
  orla_tail_dropped_total: 'Log lines of units that were dropped because they came too fast.',
  orla_processes: 'Processes by role.',
  orla_process_cpu_seconds_total: 'CPU time of processes by role, those that have ended included.',
  orla_process_resident_bytes: 'Resident memory of processes by role; what they share counts for each.',
  orla_process_proportional_bytes: 'Memory of processes by role; what they share counts in parts.',
  orla_process_start_time_seconds: 'When the youngest process of a role started, in seconds since 1970.',
  orla_http_requests_total: 'Answered requests by what answered and class of status.',
  orla_http_request_duration_seconds: 'Time from the head of a request to the end of its answer.',
  orla_http_refused_total: 'Requests that were refused before they reached a site, by status.',
  orla_http_aborted_total: 'Requests whose client went away before the answer was sent.',
  orla_http_connections: 'Open connections of clients.',
  orla_http_connections_total: 'Accepted connections of clients.',
  orla_http2_connections: 'Open connections of clients that speak HTTP/2.',
  orla_http2_connections_total: 'Accepted connections of clients that speak HTTP/2.',
  orla_http2_streams_total: 'Requests over HTTP/2.',
  orla_http2_resets_total: 'Streams of HTTP/2 that were reset, by whom and why.',
  orla_http2_connection_errors_total:
    'Connections of HTTP/2 that were ended because of what the client did, by reason.',
  orla_tls_handshaking: 'TLS handshakes under way.',
  orla_tls_handshakes_total: 'TLS handshakes that were done, by version and whether a session was resumed.',
  orla_tls_handshake_failures_total: 'TLS handshakes that failed, by reason.',
  orla_tls_certificate_expiry_timestamp_seconds:
    'When a certificate ends, in seconds since 1970, by its first name.',
  orla_http_sent_bytes_total: 'Bytes sent to clients, heads included.',
  orla_http_proxy_header_refused_total:
    'Connections that were closed for their PROXY header: untrusted, malformed or too late.',
  orla_http_upgrades: 'Connections that speak another protocol, such as WebSocket.',
  orla_http_upgrades_total: 'Connections that were upgraded.',
  orla_http_upgrades_refused_total: 'Upgrades that were refused because there were too many.',
  orla_http_upgraded_bytes_total: 'Bytes relayed on upgraded connections, by direction.',
  orla_access_log_lines_total: 'Lines written to access logs, by file.',
  orla_access_log_dropped_total:
    'Lines of access logs that were dropped because the disk was slow, full or broken, by file.',
  orla_telemetry_sent_total: 'Spans and points of metrics that a collector took, by signal.',
  orla_telemetry_dropped_total:
    'Spans and points of metrics that did not reach a collector, by signal and reason.',
  orla_telemetry_waiting: 'Spans that wait for a collector.',
  orla_cache_disk_bytes: 'Bytes that a cache takes on disk, its index included, by tier.',
  orla_cache_disk_entries: 'Objects in a cache on disk, by tier.',
  orla_cache_disk_evicted_total: 'Objects that had to make room on disk, by tier.',
  orla_cache_disk_open:
    "1 while a cache on disk is used; 0 while its disk is full, broken, or somebody else's.",
  orla_cache_disk_hits_total: 'Objects that were found on disk, by site.',
  orla_cache_disk_misses_total: 'Objects that were looked for on disk and not found, by site.',
  orla_cache_disk_writes_total: 'Objects that were written to disk, by site.',
  orla_cache_disk_refused_total:
    'Objects that were not written to disk: not admitted, too large, no room, or the tier is at rest; by site.',
  orla_cache_disk_errors_total:
    'Objects on disk that were not what they had been, and disks that failed, by site.',
  orla_bans: 'Addresses and prefixes that this node keeps out now.',
  orla_bans_waiting: 'Of these, those that are not in the log yet.',
  orla_bans_asked_total: 'Bans that units and limits of this node asked for.',
  orla_banned_connections_total:
    'Connections and requests of those who are banned, by where they were met: at the door, behind a proxy, or when the ban came.',
  orla_cache_purges_total:
    'Purges that this node applied: by what was named, and what requests made out of date (`invalidation`); hard or soft.',
  orla_cache_purged_objects_total: 'Objects that purges took out of caches here, or made stale.',
  orla_cache_purge_duration_seconds:
    'Time that a purge of the log took on the disk and all workers of this node.',
  orla_cache_requests_total: 'Look-ups in the cache by result, by site.',
  orla_cache_refused_total: 'Answers of origins that were not stored, by site and reason.',
  orla_cache_sent_bytes_total:
    'Bytes sent to clients in answers of the cache and of the origin, by site and source.',
  orla_cache_entries: 'Entries of the cache, by site.',
  orla_cache_bytes: 'Memory that the entries of the cache take, by site.',
  orla_cache_flights: 'Requests to origins that others wait for the answer of, by site.',
  orla_cache_stored_total: 'Responses that were stored, by site.',
  orla_cache_refreshed_total: 'Stored responses that the origin said are still good, by site.',
  orla_cache_evicted_total: 'Stored responses that made room for others, by site.',
  orla_cache_too_large_total: 'Responses that were larger than one object may be in memory, by site.',
  orla_cache_not_admitted_total: 'Responses that were not let into memory by the admission, by site.',
  orla_cache_evicted_age_seconds: 'How old stored responses were when they made room for others, by site.',
  orla_cache_invalidated_total: 'Stored responses that a write to their URL made invalid, by site.',
  orla_limit_decisions_total:
    'Requests, and questions of units, by site, limit and outcome: `dry_run` went on though it would have been refused, `waited` went on later.',
  orla_limit_redis_state:
    'Workers by how the Redis of limits over all nodes is to them: `connecting`, `there`, `partly` (some masters of a Cluster) or `away`.',
  orla_limit_redis_decisions_total:
    'Decisions of limits over all nodes, by site, limit and who made them: `cluster` (by what all nodes know) or `local` (by this node alone, where Redis did not answer).',
  orla_unit_runs_total: 'Runs of units by version and phase.',
  orla_unit_answers_total:
    'Answers to requests that met a version in a rollout, by version and class of status.',
  orla_unit_shadow_total:
    'Requests that a version ran on as a shadow, by how its decisions compare with those of the live version.',
  orla_unit_errors_total: 'Failed runs of units by version, phase and reason.',
  orla_unit_sampled_out_total: 'Requests that a unit was left out of because of its sample.',
  orla_unit_cpu_seconds:
    'CPU time of runs; phases that cross into the sandbox together are measured together.',
  orla_unit_wall_seconds: 'Time from a run asked for to its end, waiting included.',
  orla_unit_breaker_state: 'The state of a version in a worker: 1 for the one it is in.',
  orla_unit_replays_total: 'Runs that were sent again because their sandbox died over something else.',
  orla_unit_calls_total: 'Calls of units to the node (kv, cache, fetch) by version, kind and result.',
  orla_sandbox_restarts_total: 'Sandboxes that ended and were replaced.',
  orla_timer_runs_total:
    'Timer runs of units by result; overlapped ones were left out, as the one before still ran.',
  orla_kv_keys: 'Keys by store and namespace.',
  orla_kv_bytes: 'Bytes of keys and values by store and namespace.',
  orla_kv_writes_total: 'Changes of key/value data by store, increments of one moment counted once.',
  orla_kv_expired_total: 'Entries whose time was over, by store.',
  orla_kv_outbox_changes: 'Changes of this node that wait for whoever orders those of all nodes.',
  orla_kv_outbox_bytes: 'What they take on the disk.',
  orla_kv_taken_back_total: 'Changes that were done here and refused where they are ordered.',
  orla_kv_batches_total: 'Batches of changes that were sent to be ordered.',
  orla_kv_evicted_total: 'Entries of edge.cache that made room for others.',
  orla_origin_request_duration_seconds: 'Time from a request to an origin to the head of its answer.',
  orla_origin_connect_duration_seconds: 'Time to connect to an origin, where no connection was kept.',
  orla_origin_errors_total: 'Requests to origins that failed, by error code.',
  orla_origin_retries_total: 'Requests that were tried again, by site and what had gone wrong.',
  orla_origin_retries_refused_total: 'Requests that were not tried again because the budget was used up.',
  orla_origin_panic: 'Workers in which too few endpoints are left, so that ejections are ignored.',
  orla_origin_circuit_open: 'Workers in which the circuit breaker of the origin is open, or half open.',
  orla_origin_circuit_refused_total:
    'Requests that were answered at once because a circuit breaker was open.',
  orla_origin_unresolved_names: 'Names of endpoints whose addresses could not be learnt the last time.',
  orla_origin_endpoint_requests_total: 'Requests that were sent to an endpoint, those tried again included.',
  orla_origin_endpoint_answers_total: 'Answers of an endpoint by class of status.',
  orla_origin_endpoint_errors_total: 'Requests that failed at an endpoint, by reason.',
  orla_origin_endpoint_connect_duration_seconds: 'Time to connect to an endpoint, TLS included.',
  orla_origin_endpoint_response_duration_seconds:
    'Time from a request to an endpoint to the head of its answer.',
  orla_origin_endpoint_active:
    'Requests under way at an endpoint, those that wait for a connection included.',
  orla_origin_endpoint_connections: 'Connections to an endpoint, open or being opened.',
  orla_origin_endpoint_connections_idle: 'Connections to an endpoint that carry no request.',
  orla_origin_endpoint_waiting: 'Requests that wait for a connection to an endpoint.',
  orla_origin_endpoint_state:
    'Workers that see an endpoint so: up, down by its checks, or ejected for its failures.',
  orla_origin_endpoint_ejections_total: 'Times that an endpoint was left out because requests to it failed.',
  orla_origin_endpoint_overflows_total:
    'Requests that found an endpoint full, by the bound that was reached.',
  orla_origin_endpoint_checks_total: 'Health checks of an endpoint by result.',
  orla_packet_attached:
    'Interfaces of the packet plane: 1 while its program is attached, by mode; 0 with mode none.',
  orla_packet_prefixes: 'Prefixes that the packet plane knows in the kernel: bans, and holes in them.',
  orla_packet_packets_total:
    'Packets that arrived at interfaces of the packet plane, by protocol, and whether they passed or why they were dropped.',
  orla_packet_bytes_total: 'Bytes of these packets, Ethernet headers included.',
  orla_packet_fragments_total: 'Later fragments among these packets, which hold no port.',
}
