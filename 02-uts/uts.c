#include "uts.h"

#include <string.h>
#include <unistd.h>

#include "../01-chroot/tool.h"

void uts_set_hostname(const char *name)
{
    /* EXERCISE 2.2: give the new namespace its own host name. sethostname(2) */
    explain("hostname %s\tsethostname(\"%s\", %zu)", name, name, strlen(name));
    if (sethostname(name, strlen(name)) == -1)
        die("sethostname %s", name);
    /* END */
}

void uts_set_domainname(const char *name)
{
    explain("domainname %s\tsetdomainname(\"%s\", %zu)", name, name, strlen(name));
    if (setdomainname(name, strlen(name)) == -1)
        die("setdomainname %s", name);
}
