// SPDX-License-Identifier: GPL-2.0
/*
 * The model's properties as QOM properties of the PF, all of type string.
 *
 *   -device ada-gpu,vram=24G        before realize, into the configuration
 *   -device ada-gpu,help            names, meanings and defaults
 *   qom-set .../gpu0 fault ...      while running, what the model lets change
 *   qom-get .../gpu0 stats          live counts as JSON
 *
 * The model knows the names and judges the values; its reason becomes the error.
 */
#include "ada-gpu.h"
#include "qapi/visitor.h"

static void prop_get(Object *obj, Visitor *v, const char *name, void *opaque,
		     Error **errp)
{
	char *value = ada_gpu_get(ADA_GPU_PF(obj)->gpu, opaque);

	if (!value) {
		error_setg(errp, "property '%s' has no value before the device is realized", name);
		return;
	}
	visit_type_str(v, name, &value, errp);
	ada_gpu_string_free(value);
}

static void prop_set(Object *obj, Visitor *v, const char *name, void *opaque,
		     Error **errp)
{
	char *value;
	char *why;

	if (!visit_type_str(v, name, &value, errp))
		return;
	why = ada_gpu_set(ADA_GPU_PF(obj)->gpu, opaque, value);
	if (why)
		error_setg(errp, "%s", why);
	ada_gpu_string_free(why);
	g_free(value);
}

void ada_gpu_add_properties(ObjectClass *klass)
{
	const char *name;
	size_t i;

	for (i = 0; (name = ada_gpu_property_name(i)); i++) {
		object_class_property_add(klass, name, "string", prop_get, prop_set,
					  NULL, (void *)name);
		object_class_property_set_description(klass, name, ada_gpu_property_help(i));
	}
}
