import{B as a}from"./XEiXbXTc.js";a();
