"""The networks of QCL-MixNet+ and what they minimise."""
