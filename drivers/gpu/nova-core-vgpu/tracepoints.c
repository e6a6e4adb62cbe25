// SPDX-License-Identifier: GPL-2.0
/*
 * Defines the tracepoints of tracepoints.h, and for each of them the function
 * rust_do_trace_<name>() that trace.rs calls when the tracepoint is enabled.
 */

#define CREATE_TRACE_POINTS
#define CREATE_RUST_TRACE_POINTS
#include "tracepoints.h"
