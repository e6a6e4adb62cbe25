/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints of the messages between CPU and GSP.
 *
 *   nova_gsp_request   a message is about to be sent
 *   nova_gsp_reply     its reply is complete and was matched
 *   nova_gsp_event     GSP said something by itself
 *
 * Function and event numbers are those of the RPC header, gfid is 0 for the PF or VF index + 1.
 */

#undef TRACE_SYSTEM
#define TRACE_SYSTEM nova_core_vgpu

#if !defined(_NOVA_CORE_VGPU_TRACEPOINTS_H) || defined(TRACE_HEADER_MULTI_READ)
#define _NOVA_CORE_VGPU_TRACEPOINTS_H

#include <linux/tracepoint.h>
#include <linux/types.h>

TRACE_EVENT(nova_gsp_request,
	    TP_PROTO(const char *dev, u32 function, u32 gfid, u32 sequence, u32 bytes),
	    TP_ARGS(dev, function, gfid, sequence, bytes),
	    TP_STRUCT__entry(__string(dev, dev)
			     __field(u32, function)
			     __field(u32, gfid)
			     __field(u32, sequence)
			     __field(u32, bytes)
	    ),
	    TP_fast_assign(__assign_str(dev);
			   __entry->function = function;
			   __entry->gfid = gfid;
			   __entry->sequence = sequence;
			   __entry->bytes = bytes;
	    ),
	    TP_printk("dev=%s function=%u gfid=%u sequence=%u bytes=%u",
		      __get_str(dev), __entry->function, __entry->gfid,
		      __entry->sequence, __entry->bytes)
);

TRACE_EVENT(nova_gsp_reply,
	    TP_PROTO(const char *dev, u32 function, u32 gfid, u32 sequence, u32 bytes,
		     u64 latency_ns, u32 status),
	    TP_ARGS(dev, function, gfid, sequence, bytes, latency_ns, status),
	    TP_STRUCT__entry(__string(dev, dev)
			     __field(u64, latency_ns)
			     __field(u32, function)
			     __field(u32, gfid)
			     __field(u32, sequence)
			     __field(u32, bytes)
			     __field(u32, status)
	    ),
	    TP_fast_assign(__assign_str(dev);
			   __entry->latency_ns = latency_ns;
			   __entry->function = function;
			   __entry->gfid = gfid;
			   __entry->sequence = sequence;
			   __entry->bytes = bytes;
			   __entry->status = status;
	    ),
	    TP_printk("dev=%s function=%u gfid=%u sequence=%u bytes=%u latency_ns=%llu status=%#x",
		      __get_str(dev), __entry->function, __entry->gfid,
		      __entry->sequence, __entry->bytes, __entry->latency_ns,
		      __entry->status)
);

TRACE_EVENT(nova_gsp_event,
	    TP_PROTO(const char *dev, u32 function, u32 gfid, u32 bytes),
	    TP_ARGS(dev, function, gfid, bytes),
	    TP_STRUCT__entry(__string(dev, dev)
			     __field(u32, function)
			     __field(u32, gfid)
			     __field(u32, bytes)
	    ),
	    TP_fast_assign(__assign_str(dev);
			   __entry->function = function;
			   __entry->gfid = gfid;
			   __entry->bytes = bytes;
	    ),
	    TP_printk("dev=%s function=%#x gfid=%u bytes=%u",
		      __get_str(dev), __entry->function, __entry->gfid, __entry->bytes)
);

#endif /* _NOVA_CORE_VGPU_TRACEPOINTS_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE tracepoints

#include <trace/define_trace.h>
