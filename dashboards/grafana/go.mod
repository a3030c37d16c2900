// Grafana's own types of dashboards, for a test. The module is separate, so that they are no
// dependencies of the program.
module github.com/zitadel-siem/zitadel-siem/dashboards/grafana

go 1.26.0

require github.com/grafana/grafana-foundation-sdk/go v0.0.22
