// Package grafana checks the dashboards with Grafana's own types.
package grafana
